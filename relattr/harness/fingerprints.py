"""Fingerprints of results: digests of the code, data and files that decide the result of a cell.

``code <module>`` for each module that it runs, ``data``, ``need <n>`` for each need of the method (such as backbone
weights), ``file <path>`` and ``data file <path>`` for the files that the method and the dataset declare, and
``protocol``. When the cell ends, `LoadedModules` adds the modules that only running it revealed. The result is stale
when any of it has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relattr.identity import is_of_session, module_digests
from relattr.identity.files import file_digests
from relattr.identity.loaded import current_digest, is_code
from relattr.needs import needs_of
from relattr.registry import Plugin

EVALUATION_MODULE = "relattr.execution.evaluate"
"""The module that evaluates a method; the code that it imports for this decides every result."""
DATA = "data"
"""First word of the keys of what the files of a dataset decide."""
UNRECORDED = "not recorded"
"""Stands for the digest of code that is in no file, such as that of a class defined in a notebook."""
PROTOCOL = "1"
"""The version of the evaluation rules (accuracy = correct / ordered pairs, a tie is an error), raised by hand."""


def dataset_fingerprints(dataset: Plugin[Any], values: Mapping[str, Any], *, pixels: bool = True) -> dict[str, str]:
    """Return the part of the fingerprints that the dataset decides, and that of the evaluation."""
    instance = dataset.create(values)
    fingerprints = {DATA: instance.fingerprint() if pixels else instance.labels_fingerprint()}
    fingerprints |= {f"{DATA} file {path}": digest for path, digest in file_digests(instance).items()}
    return {**fingerprints, **dataset_code_fingerprints(dataset)}


def dataset_code_fingerprints(dataset: Plugin[Any]) -> dict[str, str]:
    """Return what `dataset_fingerprints` has without the data, which may not be on this machine."""
    return {"protocol": PROTOCOL, **_code(dataset.module), **_evaluation_code()}


def method_fingerprints(method: Plugin[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of the fingerprints that the method decides."""
    fingerprints = {f"file {path}": digest for path, digest in file_digests(method.create(values)).items()}
    return {**fingerprints, **_code(method.module), **need_fingerprints(method, values)}


def _code(module: str) -> dict[str, str]:
    if is_of_session(module):
        return {f"code {module}": UNRECORDED}
    return {f"code {name}": digest for name, digest in module_digests(module).items()}


def _evaluation_code() -> dict[str, str]:
    """Return the digests of what `EVALUATION_MODULE` imports; that module itself is covered by `PROTOCOL`."""
    code = _code(EVALUATION_MODULE)
    del code[f"code {EVALUATION_MODULE}"]
    return code


def need_fingerprints(method: Plugin[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of the fingerprints that the needs of the method, such as backbone weights, decide."""
    fingerprints = (need.fingerprint() for need in needs_of(method.create(values)))
    return {f"need {k}": text for k, text in enumerate(fingerprints) if text}


def is_recorded(fingerprints: Mapping[str, str]) -> bool:
    """Return whether all code was recorded, so that equal fingerprints are of the same code."""
    return bool(fingerprints) and UNRECORDED not in fingerprints.values()


def data_difference(fingerprints: Mapping[str, str], data: str) -> str | None:
    """Return what is known of the data of a result that are not these now; None if they are the same."""
    if DATA not in fingerprints:
        return "may have changed since it was computed: its data were not recorded"
    return "has changed since it was computed" if fingerprints[DATA] != data else None


def is_unavailable(fingerprint: str) -> bool:
    """Return whether this is the fingerprint of weights that are not available, which does not identify them."""
    return fingerprint.startswith(("undownloaded:", "missing:")) or fingerprint == "unusable"


def differences_without_data(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return `fingerprint_differences`, except those of the data, which are not on this machine."""
    return fingerprint_differences({k: v for k, v in old.items() if k.partition(" ")[0] != DATA}, new)


def fingerprint_differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the differences between stored and current fingerprints: ``relattr.ranksvm.newton changed``.

    Modules that only the stored ones have were loaded while the cell ran; their files are digested again. Weights
    that are not available now count as unchanged.
    """
    if not old:
        return ["its code and data were not recorded"]
    new = {**new, **{key: digest for key in {*old} - {*new} if is_code(key) and (digest := current_digest(key))}}
    differences = []
    for key in sorted({*old, *new}):
        if key in old and is_unavailable(new.get(key, "")):
            continue
        if old.get(key) != new.get(key):
            verb = "changed" if key in old and key in new else "is new" if key in new else "is no longer used"
            differences.append(f"{key.rpartition(' ')[2] if is_code(key) else key} {verb}")
    return differences
