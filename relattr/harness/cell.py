"""A cell: one method with its parameters, one task, one seed; and what decides its number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from relattr.identity import module_digests
from relattr.identity.files import file_digests
from relattr.identity.loaded import current_digest, is_code
from relattr.registry import Plugin
from relattr.system.digests import digest_text
from relattr.task import TaskName

JUDGING_MODULE = "relattr.execution.evaluate"
"""The module that judges a method; the code that it imports for this decides every result."""
PROTOCOL = "1"
"""Changed when the harness judges in another way: accuracy = correct / ordered, a tie is an error."""


class Cell(msgspec.Struct, frozen=True):
    """The coordinates of a cell; order of plugins, rows or columns is in none of them."""

    method: str
    method_parameters: dict[str, Any]
    dataset: str
    dataset_parameters: dict[str, Any]
    attribute: str
    split: str
    seed: int

    @property
    def task(self) -> TaskName:
        return TaskName(self.dataset, self.attribute, self.split)

    @property
    def key(self) -> str:
        """Names the cell among all cells, as 16 hexadecimal digits."""
        return digest_text(json.dumps(msgspec.to_builtins(self), sort_keys=True))[:16]

    def __str__(self) -> str:
        return f"{self.method} on {self.task}, seed {self.seed}"


def cell_fingerprints(cell: Cell, method: Plugin[Any], dataset: Plugin[Any]) -> dict[str, str]:
    """Return what decides the cell's result beyond its coordinates; the result is stale when any of it has changed.

    ``code <module>`` for each module that it runs, ``data``, ``need <n>`` for each need of the method (such as backbone
    weights), ``file <path>`` and ``data file <path>`` for the files that the method and the dataset declare, and
    ``protocol``. When the cell ends, `LoadedModules` adds the modules that only running it revealed.
    """
    data = dataset_fingerprints(dataset, cell.dataset_parameters, pixels=method.create(cell.method_parameters).uses_pixels)
    return {**data, **method_fingerprints(method, cell.method_parameters)}


def missing_data(dataset: Plugin[Any], values: Mapping[str, Any], *, pixels: bool) -> str | None:
    """Why a method that looks at pixels, or one that does not, cannot run on a dataset; None if it can."""
    made = dataset.create(values)
    found: str | None = made.missing() if pixels else made.missing_labels()
    return found


def dataset_fingerprints(dataset: Plugin[Any], values: Mapping[str, Any], *, pixels: bool = True) -> dict[str, str]:
    """Return the part of the fingerprints that the dataset decides, and that of judging."""
    instance = dataset.create(values)
    prints = {"protocol": PROTOCOL, "data": instance.fingerprint() if pixels else instance.labels_fingerprint()}
    prints |= {f"data file {path}": digest for path, digest in file_digests(instance).items()}
    return {**prints, **_code(dataset.module), **_judging_code()}


def method_fingerprints(method: Plugin[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the part of the fingerprints that the method decides."""
    prints = {f"file {path}": digest for path, digest in file_digests(method.create(values)).items()}
    return {**prints, **_code(method.module), **need_fingerprints(method, values)}


def _code(module: str) -> dict[str, str]:
    return {f"code {name}": digest for name, digest in module_digests(module).items()}


def _judging_code() -> dict[str, str]:
    """Return the digests of what the judging module imports; `PROTOCOL` stands for that module itself."""
    code = _code(JUDGING_MODULE)
    del code[f"code {JUDGING_MODULE}"]
    return code


def need_fingerprints(method: Plugin[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """The part of the fingerprints that the needs of the method decide."""
    prints = (need.fingerprint() for need in method.create(values).needs())
    return {f"need {k}": text for k, text in enumerate(prints) if text}


def is_unavailable(fingerprint: str) -> bool:
    """Whether it is that of weights which are not here, so that it says nothing of what a row was made with."""
    return fingerprint.startswith(("undownloaded:", "missing:")) or fingerprint == "unusable"


def fingerprint_differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the differences between stored and current fingerprints: ``relattr.ranksvm.newton changed``.

    Modules that only the stored ones have were loaded while the cell ran; their files are digested again. Weights
    that are not available now count as unchanged.
    """
    new = {**new, **{key: digest for key in {*old} - {*new} if is_code(key) and (digest := current_digest(key))}}
    words = []
    for key in sorted({*old, *new}):
        if key in old and is_unavailable(new.get(key, "")):
            continue
        if old.get(key) != new.get(key):
            verb = "fingerprint_differences" if key in old and key in new else "is new" if key in new else "is gone"
            words.append(f"{key.rpartition(' ')[2] if is_code(key) else key} {verb}")
    return words
