"""The pairs behind a row, and which of them its method got right.

A row keeps strengths or margins; the pairs they are judged on come from the dataset, and are kept
beside the rows from then on (``<results>/.pairs/``), so that a folder of results is whole: tables and
intervals can be made where the dataset is not. Nothing is believed that does not give the row's own
counts again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput, RelattrError
from relattr.harness.arrays import NPZ_ERRORS
from relattr.harness.result import Result, TestResult
from relattr.harness.store import Store
from relattr.pairs import Pairs
from relattr.registry import Registry
from relattr.statistics import Design, Judgement
from relattr.system.atomic import write_arrays
from relattr.system.digests import digest_text

TestKey = str


@dataclass(frozen=True, eq=False)
class TestPairs:
    """The pairs of a test set, and ``(n,)`` which image of the dataset each of its images is."""

    pairs: Pairs
    identities: NDArray[np.integer]


class NotJudgeable(Exception):
    """Why there is no interval."""


class _CountMismatch(NotJudgeable):
    """A row's strengths do not give its counts on the pairs that were kept."""

    def __init__(self, key: TestKey, row: tuple[Result, TestResult]) -> None:
        super().__init__("its strengths do not give the counts of its row")
        self.key, self.row = key, row


def test_key(result: Result, test: str) -> TestKey:
    """Names the pairs of a test set: the same for every method and seed."""
    cell = result.cell
    parameters = ",".join(f"{k}={v!r}" for k, v in sorted(cell.dataset_parameters.items()))
    data = result.fingerprints.get("data", "")
    return digest_text(cell.dataset, parameters, cell.attribute, cell.split, test, data)[:32]


def store_test_pairs(folder: Path, key: TestKey, shown: TestPairs) -> None:
    """Keep the pairs of a test set beside the rows in ``folder``."""
    order = shown.pairs.order
    if order is not None:
        arrays = {"items": order.items, "strengths": order.strengths, "seed": np.array([order.seed], np.uint64)}
    else:
        arrays = dict(zip(("left", "right", "label"), shown.pairs.arrays, strict=True))
    write_arrays(_path(folder, key), {**arrays, "identities": np.asarray(shown.identities, np.int64)})


def _path(folder: Path, key: TestKey) -> Path:
    return folder / ".pairs" / f"{key}.npz"


class Judge:
    """Judgements of the rows of a store, remembered."""

    def __init__(self, registry: Registry, store: Store) -> None:
        self._registry = registry
        self._store = store
        self._shown: dict[TestKey, TestPairs | str] = {}
        self._designs: dict[tuple[TestKey, ...], Design] = {}
        self._values: dict[tuple[str, str], tuple[str, NDArray[Any]]] = {}
        self._asked: set[TestKey] = set()

    def design(self, keys: Iterable[TestKey]) -> tuple[Design, Mapping[TestKey, int]]:
        """The design of these test sets, whose pairs were found before, and the place of each in it."""
        ordered = tuple(sorted(set(keys)))
        if ordered not in self._designs:
            parts = [self._shown[key] for key in ordered]
            self._designs[ordered] = Design([(p.pairs, p.identities) for p in parts if isinstance(p, TestPairs)])
        return self._designs[ordered], {key: k for k, key in enumerate(ordered)}

    def judge(self, rows: Sequence[tuple[Result, TestResult]]) -> tuple[Design, list[Judgement], tuple[TestKey, ...]]:
        """Judge rows on the design of all their test sets. Raises `NotJudgeable` with the reason."""
        keys = [test_key(result, row.test) for result, row in rows]
        for key, (result, row) in zip(keys, rows, strict=True):
            if row.ties != "error":
                raise NotJudgeable("the rule it was published under does not count ties as errors")
            found = self._pairs(key, result, row)
            if isinstance(found, str):
                raise NotJudgeable(found)
        while True:
            try:
                design, place = self.design(keys)
                made = [self._judge(design, place[key], *row) for key, row in zip(keys, rows, strict=True)]
            except _CountMismatch as error:
                if not self._ask_again(error.key, *error.row):
                    raise
            except RelattrError as error:
                raise NotJudgeable(str(error)) from error
            else:
                return design, made, tuple(sorted(place))

    def _judge(self, design: Design, place: int, result: Result, row: TestResult) -> Judgement:
        key = result.cell.key, row.test
        if key not in self._values:
            self._values[key] = self._read(result, row)
        kind, values = self._values[key]
        made = design.judge(place, **{kind: values})
        if (made.n_ordered, made.n_correct) != (row.n_ordered, row.n_correct):
            raise _CountMismatch(test_key(result, row.test), (result, row))
        return made

    def _ask_again(self, key: TestKey, result: Result, row: TestResult) -> bool:
        """Whether the dataset was asked now, and has such pairs: those that were kept may be of older code."""
        if key in self._asked:
            return False
        self._asked.add(key)
        found = self._ask(key, result, row.test)
        if isinstance(found, str) or (found.pairs.n_ordered, len(found.pairs)) != (row.n_ordered, row.n_pairs):
            return False
        self._shown[key] = found
        self._designs = {keys: design for keys, design in self._designs.items() if key not in keys}
        return True

    def _read(self, result: Result, row: TestResult) -> tuple[str, NDArray[Any]]:
        """The strengths of the images of a test set, or the margins of its pairs."""
        arrays = self._store.arrays(result, verify=False)
        try:
            for kind, values in (("strengths", arrays.strengths), ("margins", arrays.margins)):
                if row.test in values:
                    return kind, values[row.test]
        except BadInput as error:
            raise NotJudgeable(f"its strengths cannot be read ({type(error.__cause__).__name__})") from error
        raise NotJudgeable("its strengths and margins were not kept")

    def _pairs(self, key: TestKey, result: Result, row: TestResult) -> TestPairs | str:
        if key not in self._shown:
            found = self._kept(key) or self._ask(key, result, row.test)
            if isinstance(found, TestPairs) and (found.pairs.n_ordered, len(found.pairs)) != (
                row.n_ordered,
                row.n_pairs,
            ):
                found = f"{result.cell.dataset} has other test pairs now"
            self._shown[key] = found
        return self._shown[key]

    def _kept(self, key: TestKey) -> TestPairs | None:
        try:
            with np.load(_path(self._store.folder, key), allow_pickle=False) as arrays:
                if "items" in arrays.files:
                    pairs = Pairs.all_of(arrays["strengths"], items=arrays["items"], seed=int(arrays["seed"][0]))
                else:
                    pairs = Pairs(arrays["left"], arrays["right"], arrays["label"])
                return TestPairs(pairs, arrays["identities"])
        except NPZ_ERRORS:
            return None

    def _ask(self, key: TestKey, result: Result, test: str) -> TestPairs | str:
        """The pairs from the dataset itself, if it is here and is the one the row was made on."""
        cell = result.cell
        if cell.dataset not in self._registry.datasets:
            return f"no dataset {cell.dataset} is here to take the pairs from"
        try:
            dataset = self._registry.dataset(cell.dataset).create(cell.dataset_parameters)
            method = self._registry.methods.get(cell.method)
            pixels = method is None or method.create(cell.method_parameters).uses_pixels
            why = dataset.missing() if pixels else dataset.missing_labels()
            if why is not None:
                return f"the pairs of {cell.dataset} are not here: {why}"
            if (dataset.fingerprint() if pixels else dataset.labels_fingerprint()) != result.fingerprints.get("data"):
                return f"{cell.dataset} has changed since"
            task = dataset.task(cell.task)
        except Exception as error:  # whatever a plugin does wrong costs the interval, not the table
            return f"{cell.dataset} could not be read: {type(error).__name__}: {error}"
        for found in task.tests:
            if found.name == test:
                shown = TestPairs(found.pairs, np.asarray(found.images.indices))
                with contextlib.suppress(OSError):  # a folder that cannot be written to is read all the same
                    store_test_pairs(self._store.folder, key, shown)
                return shown
        return f"{cell.dataset} has no test set {test!r} now"
