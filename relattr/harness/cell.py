"""A cell: one method with its parameters, one task, one seed; and what decides its number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from relattr import sources
from relattr.registry import Plugin
from relattr.system.digests import digest_text
from relattr.task import TaskName

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


def fingerprints(cell: Cell, method: Plugin[Any], dataset: Plugin[Any]) -> dict[str, str]:
    """Everything outside the coordinates that decides the cell's number, by what it is.

    ``code <module>`` for each module of project code it runs, ``data``, ``need <n>`` for each need of
    the method (backbone weights), and ``protocol``. A cell is stale when any of them has changed.
    """
    data = of_dataset(dataset, cell.dataset_parameters, pixels=method.create(cell.method_parameters).uses_pixels)
    return {**data, **of_method(method, cell.method_parameters)}


def missing(dataset: Plugin[Any], values: Mapping[str, Any], *, pixels: bool) -> str | None:
    """Why a method that looks at pixels, or one that does not, cannot run on a dataset; None if it can."""
    made = dataset.create(values)
    found: str | None = made.missing() if pixels else made.missing_labels()
    return found


def of_dataset(dataset: Plugin[Any], values: Mapping[str, Any], *, pixels: bool = True) -> dict[str, str]:
    """The part of the fingerprints that the dataset decides, and the protocol."""
    made = dataset.create(values)
    found = {"protocol": PROTOCOL, "data": made.fingerprint() if pixels else made.labels_fingerprint()}
    found.update((f"code {module}", digest) for module, digest in sources.sources_of(dataset.module).items())
    return found


def of_method(method: Plugin[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """The part of the fingerprints that the method decides."""
    found = {f"code {module}": digest for module, digest in sources.sources_of(method.module).items()}
    return {**found, **of_needs(method, values)}


def of_needs(method: Plugin[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """The part of the fingerprints that the needs of the method decide."""
    prints = (need.fingerprint() for need in method.create(values).needs())
    return {f"need {k}": text for k, text in enumerate(prints) if text}


def is_unknown(fingerprint: str) -> bool:
    """Whether it is that of weights which are not here, so that it says nothing of what a row was made with."""
    return fingerprint.startswith(("undownloaded:", "missing:")) or fingerprint == "unusable"


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What differs between two fingerprints, in words: ``relattr.ranksvm.newton changed``, ``data changed``.

    Weights that are not here now have not changed: where they are, they may be the same.
    """
    words = []
    for what in sorted({*old, *new}):
        if what in old and is_unknown(new.get(what, "")):
            continue
        if old.get(what) != new.get(what):
            verb = "changed" if what in old and what in new else "is new" if what in new else "is gone"
            words.append(f"{what.removeprefix('code ')} {verb}")
    return words
