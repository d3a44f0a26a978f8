"""Audits kept beside results, and the leaks that they found as notes of a table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from relattr import parameters
from relattr.audit import RELEASED, TRAINING, VERSION, Audit, audit_dataset, code_of
from relattr.dataset import Dataset
from relattr.harness.benchmark import Benchmark
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.system.atomic import write_text
from relattr.system.digests import digest_text


@dataclass(frozen=True)
class Flag:
    """A leak, as a note for the numbers it touches: those judged at one of ``places``; all, where none is named."""

    text: str
    places: frozenset[str] = frozenset()

    def touches(self, task: str, test: str) -> bool:
        """Whether a number on this test set is touched; a leak within the training pairs touches all of its task."""
        return not self.places or not self.places.isdisjoint({f"{task} {test}", f"{task} {TRAINING}", task})


def kept_audit(folder: Path, dataset: Dataset, values: Mapping[str, Any], *, again: bool = False) -> Audit:
    """The audit of this version of a dataset and its code, from ``<results>/.audit/``, or made and kept now."""
    if dataset.missing() is not None:  # what can be said without its files is said each time
        return audit_dataset(dataset)
    path = _path(folder, dataset.name, values, dataset.fingerprint())
    found = None if again else _kept(path)
    if found is not None and found.code == code_of(dataset):
        return found
    made = audit_dataset(dataset)
    with contextlib.suppress(OSError):  # a folder that cannot be written to is audited each time
        write_text(path, msgspec.json.format(msgspec.json.encode(made), indent=1).decode() + "\n")
    return made


def _path(folder: Path, name: str, values: Mapping[str, Any], fingerprint: str) -> Path:
    key = digest_text(name, json.dumps(values, sort_keys=True, default=str), fingerprint)[:16]
    return folder / ".audit" / f"{key}.json"


def _kept(path: Path) -> Audit | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Audit)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.version == VERSION and found.images else None


def _kept_with_results(store: Store, name: str, values: Mapping[str, Any]) -> Audit | None:
    """The audit that was kept of the data which results were made on, where the data is not here any more."""
    for result in store:
        if isinstance(result, Result) and result.cell.dataset == name and result.cell.dataset_parameters == values:
            found = _kept(_path(store.folder, name, values, result.fingerprints.get("data", "")))
            if found is not None:
                return found
    return None


class Failed(str):
    """Why a dataset that is here could not be audited: nobody knows whether it leaks."""


def audits_of(benchmark: Benchmark, registry: Registry, store: Store) -> dict[str, Audit | str]:
    """The audit of each dataset of a benchmark, or why there is none."""
    found: dict[str, Audit | str] = {}
    for name in dict.fromkeys(column.dataset for column in benchmark.table.columns):
        if name not in registry.datasets:
            found[name] = f"no dataset {name} is here"
            continue
        try:
            dataset = registry.dataset(name).create(benchmark.dataset.get(name, {}))
            values, gone = parameters.values_of(dataset), dataset.missing()
            if gone is None:
                found[name] = kept_audit(store.folder, dataset, values)
            else:
                found[name] = _kept_with_results(store, name, values) or gone
        except Exception as error:  # a plugin that fails costs its audit, not the tables
            found[name] = Failed(f"the audit failed: {type(error).__name__}: {error}")
    return found


def leaks(audits: Mapping[str, Audit | str]) -> dict[str, list[Flag]]:
    """For each dataset the leaks of its audit, as notes for its numbers in a table."""
    found: dict[str, list[Flag]] = {}
    for name, made in audits.items():
        if isinstance(made, Failed):
            found[name] = [Flag(made)]
        elif isinstance(made, Audit):
            # the files as released are not what was judged: an adapter turns pairs at random, and splits anew
            own = (o for o in made.observations if not o.kind.startswith(RELEASED))
            found[name] = [Flag(f"audit: {o.text}", frozenset(o.places)) for o in own if o.severity == "leak"]
    return found


def flags_of(benchmark: Benchmark, registry: Registry, store: Store) -> dict[str, list[Flag]]:
    """What the audits of a benchmark's datasets find that touches numbers on them."""
    return leaks(audits_of(benchmark, registry, store))
