"""The keys of the audits that are stored with results: of one version of a dataset, with its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from relattr.harness.result import Result
from relattr.system.digests import digest_text


def audit_key(dataset: str, dataset_parameters: Mapping[str, Any], fingerprint: str) -> str:
    """Return the key of the audit of a dataset with these parameters and the fingerprint of its content."""
    values = json.dumps(dataset_parameters, sort_keys=True, default=str)
    return digest_text(dataset, values, fingerprint)[:16]


def audit_keys_of(result: Result) -> list[str]:
    """Return the keys under which the audit of the data that a result was computed on may be stored."""
    cell = result.cell
    # of a method that sees no pixels, `fingerprints` has the digest of the labels only; own data is identified as well
    fingerprints = dict.fromkeys(filter(None, (result.fingerprints.get("data", ""), cell.data)))
    return [audit_key(cell.dataset, cell.dataset_parameters, fingerprint) for fingerprint in fingerprints]
