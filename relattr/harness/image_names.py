"""The names of the images of test sets, from the dataset that a result was computed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from relattr.harness.cell import Cell
from relattr.harness.result import Result
from relattr.registry import Registry

if TYPE_CHECKING:
    from relattr.pairs import Pairs
    from relattr.task import Task


@dataclass(frozen=True)
class NamedTest:
    """The names of the images of a test set, and its pairs."""

    images: Sequence[str]
    pairs: Pairs


class ImageNames:
    """Looks up the names of test images; the task of the last result is kept."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._key: bytes | None = None
        self._tests: Mapping[str, NamedTest] = {}

    def of(self, result: Result, test: str) -> NamedTest | None:
        """The names of a test set's images; None if its dataset is not here or has changed since."""
        cell, data = result.cell, result.fingerprints.get("data", "")
        task = cell.dataset, cell.all_dataset_parameters, cell.attribute, cell.split, data
        key = msgspec.json.encode(task, order="sorted")
        if key != self._key:
            self._key, self._tests = key, self._load(cell, data)
        return self._tests.get(test)

    def _load(self, cell: Cell, data: str) -> dict[str, NamedTest]:
        if cell.dataset not in self._registry.datasets:
            return {}
        try:
            dataset = self._registry.dataset(cell.dataset).create(cell.all_dataset_parameters)
            current = {dataset.fingerprint()} if dataset.missing() is None else set()
            current |= {dataset.labels_fingerprint()} if dataset.missing_labels() is None else set()
            if data not in current:
                return {}
            task: Task = dataset.task(cell.task)
            return {test.name: NamedTest(test.images.names, test.pairs) for test in task.tests}
        except Exception:  # an error of the dataset costs the names, not the export
            return {}
