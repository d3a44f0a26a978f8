"""Which test pairs each result orders correctly, recomputed from the stored strengths or margins.

A result stores strengths or margins. The pairs they are scored on come from the dataset and are stored with the
results the first time, so that tables and intervals can be computed from stored results without the dataset. Judgements
that do not reproduce the counts of the result are rejected.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput, RelattrError
from relattr.harness.fingerprints import data_difference
from relattr.harness.result import Result, TestResult
from relattr.harness.result_selection import ResultSelection
from relattr.harness.stored_results import StoredResults
from relattr.harness.tested_pairs import TestKey, TestPairs, storable_text, test_key
from relattr.pairs import Pairs
from relattr.registry import Registry
from relattr.report.tables.folds import attribute_weights, group_folds
from relattr.statistics import Design, Judgement


@dataclass(frozen=True, eq=False)
class Judgements:
    """The judgements of several results on one design, with the weight of each in their mean accuracy.

    The folds of a cross-validation are one test set of the design and have one judgement. ``tests`` are the sorted keys
    of the test sets, each fold with its own.
    """

    design: Design
    judgements: list[Judgement]
    weights: list[float]
    tests: tuple[TestKey, ...]


class NotJudgeable(Exception):
    """A result cannot be judged pair by pair, and so has no interval; the message is the reason."""


class _CountMismatch(NotJudgeable):
    """The strengths of a result do not reproduce its counts on the stored pairs."""

    def __init__(self, key: TestKey, result: Result, test: TestResult) -> None:
        super().__init__("its strengths do not reproduce its counts")
        self.key, self.result, self.test = key, result, test


class Judge:
    """Judges the results of a store; pairs, designs, strengths and margins are read once."""

    def __init__(self, registry: Registry, store: StoredResults) -> None:
        self._registry = registry
        self._store = store
        self._test_pairs: dict[TestKey, TestPairs | str] = {}
        """The pairs of each test set, or why they are unavailable."""
        self._designs: dict[tuple[tuple[TestKey, ...], ...], Design] = {}
        self._values: dict[tuple[str, str], tuple[str, NDArray[Any]]] = {}
        self._reloaded: set[TestKey] = set()

    def of_other_store(self, store: StoredResults) -> Judge:
        """A judge of the results in another store, on the same pairs and designs as this one."""
        other = Judge(self._registry, store)
        other._test_pairs, other._designs = self._test_pairs, self._designs
        return other

    def judge(self, rows: Sequence[tuple[Result, TestResult]]) -> Judgements:
        """Judge results of one method on the design of all their test sets. Raises `NotJudgeable` with the reason."""
        for result, test in rows:
            key = test_key(result, test.test)
            if test.ties != "error":
                raise NotJudgeable("the published rule for this row does not count ties as errors")
            test_pairs = self._find_pairs(key, result, test)
            if isinstance(test_pairs, str):
                raise NotJudgeable(test_pairs)
        groups = [sorted(group, key=lambda row: test_key(row[0], row[1].test)) for group in group_folds(rows)]
        keys = [tuple(test_key(result, test.test) for result, test in group) for group in groups]
        while True:
            try:
                design, places = self._design(keys, cross_validated=any(test.fold for _, test in rows))
                judgements = [self._judge(design, places[key], group) for key, group in zip(keys, groups, strict=True)]
            except _CountMismatch as error:
                if not self._reload_pairs(error.key, error.result, error.test):
                    raise
            except RelattrError as error:
                raise NotJudgeable(str(error)) from error
            else:
                tests = tuple(sorted({fold for key in keys for fold in key}))
                return Judgements(design, judgements, attribute_weights(groups), tests)

    def _design(
        self, keys: Iterable[tuple[TestKey, ...]], *, cross_validated: bool
    ) -> tuple[Design, Mapping[tuple[TestKey, ...], int]]:
        """The design of test sets whose pairs are known, and the index of each in it.

        A test set is given by its key, or by those of the folds that it consists of.
        """
        ordered = tuple(sorted(set(keys)))
        if ordered not in self._designs:
            parts = [self._pairs_of(key) for key in ordered]
            self._designs[ordered] = Design(parts, cross_validated=cross_validated)
        return self._designs[ordered], {key: k for k, key in enumerate(ordered)}

    def _pairs_of(self, key: tuple[TestKey, ...]) -> tuple[Pairs, NDArray[np.integer] | None]:
        """The pairs of a test set and what identifies its images; those of several folds, as pairs of the dataset."""
        folds = [fold for each in key if isinstance(fold := self._test_pairs[each], TestPairs)]
        if len(folds) == 1:
            return folds[0].pairs, folds[0].image_ids
        left = np.concatenate([fold.image_ids[fold.pairs.left] for fold in folds])
        right = np.concatenate([fold.image_ids[fold.pairs.right] for fold in folds])
        return Pairs(left, right, np.concatenate([fold.pairs.label for fold in folds])), None

    def _judge(self, design: Design, place: int, group: Sequence[tuple[Result, TestResult]]) -> Judgement:
        if len(group) == 1:
            result, test = group[0]
            kind, values = self._values_of(result, test)
            judgement = design.judge(place, **{kind: values})
            if (judgement.n_ordered, judgement.n_correct) != (test.n_ordered, test.n_correct):
                raise _CountMismatch(test_key(result, test.test), result, test)
            return judgement
        return design.judge(place, margins=np.concatenate([self._margins(*row) for row in group]))

    def _margins(self, result: Result, test: TestResult) -> NDArray[np.float64]:
        """The margin of each pair of a test set, ``(n_pairs,)``."""
        key = test_key(result, test.test)
        fold = self._test_pairs[key]
        assert isinstance(fold, TestPairs)
        left, right, label = fold.pairs.arrays
        kind, values = self._values_of(result, test)
        if kind == "strengths":
            if values.ndim != 1 or values.size <= max(left.max(initial=-1), right.max(initial=-1)):
                raise _CountMismatch(key, result, test)
            values = values[left] - values[right]
        if values.shape != label.shape or np.count_nonzero(np.sign(values) * label > 0) != test.n_correct:
            raise _CountMismatch(key, result, test)
        return values

    def strengths_of(self, result: Result, test: TestResult) -> tuple[TestPairs, NDArray[Any]]:
        """Return the pairs of a result's test set, and the strengths of the images of that set.

        Raises `NotJudgeable` if either is unavailable.
        """
        test_pairs = self._find_pairs(test_key(result, test.test), result, test)
        if isinstance(test_pairs, str):
            raise NotJudgeable(test_pairs)
        kind, values = self._values_of(result, test)
        if kind != "strengths":
            raise NotJudgeable("the method gives margins of pairs, not strengths of images")
        return test_pairs, values

    def _values_of(self, result: Result, test: TestResult) -> tuple[str, NDArray[Any]]:
        """What `_read_values` returns, read once."""
        key = result.cell.key, test.test
        if key not in self._values:
            self._values[key] = self._read_values(result, test)
        return self._values[key]

    def _read_values(self, result: Result, test: TestResult) -> tuple[str, NDArray[Any]]:
        """``"strengths"`` and the strengths of the test images, or ``"margins"`` and the margins of the test pairs."""
        arrays = self._store.arrays(result, verify=False)
        try:
            for kind, values in (("strengths", arrays.strengths), ("margins", arrays.margins)):
                with contextlib.suppress(KeyError):
                    return kind, values[test.test]
        except BadInput as error:
            raise NotJudgeable(f"its strengths cannot be read ({type(error.__cause__).__name__})") from error
        raise NotJudgeable("its strengths or margins were not stored")

    def complete_pairs(self, result: Result, test: TestResult) -> str:
        """Store the pairs of a result's test set, with the names of its images, unless they are stored already.

        Returns why the pairs are unavailable; empty if they are stored. Images have no names if the dataset is not on
        this machine, or has changed.
        """
        key = test_key(result, test.test)
        test_pairs = self._find_pairs(key, result, test)
        if isinstance(test_pairs, str):
            return test_pairs
        if test_pairs.names is None:
            self._reload_pairs(key, result, test)
        return ""

    def _find_pairs(self, key: TestKey, result: Result, test: TestResult) -> TestPairs | str:
        """The pairs of a test set, stored or from the dataset, or why they are unavailable."""
        if key not in self._test_pairs:
            test_pairs = self._store.test_pairs(key) or self._load_pairs(key, result, test.test)
            if isinstance(test_pairs, TestPairs) and not _has_counts(test_pairs, test):
                test_pairs = f"{result.cell.dataset} has different test pairs now"
            self._test_pairs[key] = test_pairs
        return self._test_pairs[key]

    def _reload_pairs(self, key: TestKey, result: Result, test: TestResult) -> bool:
        """Replace stored pairs, which older code may have written, by those of the dataset.

        Returns whether they were replaced; each test set is tried once.
        """
        if key in self._reloaded:
            return False
        self._reloaded.add(key)
        test_pairs = self._load_pairs(key, result, test.test)
        if isinstance(test_pairs, str) or not _has_counts(test_pairs, test):
            return False
        self._test_pairs[key] = test_pairs
        self._designs = {
            tests: design for tests, design in self._designs.items() if not any(key in folds for folds in tests)
        }
        return True

    def _load_pairs(self, key: TestKey, result: Result, name: str) -> TestPairs | str:
        """The pairs of a test set from the dataset, stored for the next time, or why they are unavailable."""
        cell = result.cell
        if cell.dataset not in self._registry.datasets:
            return f"its test pairs are not stored, and the dataset {cell.dataset} is not installed"
        try:
            dataset = self._registry.dataset(cell.dataset).create(cell.all_dataset_parameters)
            method = self._registry.methods.get(cell.method)
            pixels = method is None or method.create(cell.method_parameters).uses_pixels
            missing = dataset.missing() if pixels else dataset.missing_labels()
            if missing is not None:
                return f"its test pairs are not stored, and files of {cell.dataset} are missing: {missing}"
            data = dataset.fingerprint() if pixels else dataset.labels_fingerprint()
            if difference := data_difference(result.fingerprints, data):
                return f"{cell.dataset} {difference}"
            task = dataset.task(cell.task)
        except Exception as error:  # an error in a plugin costs the interval, but not the table
            return f"{cell.dataset} could not be read: {type(error).__name__}: {error}"
        for test_set in task.tests:
            if test_set.name == name:
                names = [storable_text(image) for image in test_set.images.names]
                test_pairs = TestPairs(test_set.pairs, np.asarray(test_set.images.indices), names)
                self._store.keep_test_pairs(key, test_pairs)
                return test_pairs
        return f"{cell.dataset} has no test set {name!r} now"


def complete_pairs(registry: Registry, stored: StoredResults, selection: ResultSelection) -> dict[str, str]:
    """Store the pairs and image names of the test sets of the chosen results, unless they are stored already.

    Returns why pairs are unavailable, by task and test set. Images have no names if their dataset is not on this
    machine, or has changed. Test sets on which ties do not count as errors are left out: no table judges their pairs.
    """
    judge, reasons = Judge(registry, stored), {}
    completed: set[TestKey] = set()
    for result in stored:
        if not isinstance(result, Result) or not selection.includes(result.cell):
            continue
        for test in result.tests:
            key = test_key(result, test.test)
            if key not in completed and test.ties == "error":
                completed.add(key)
                if reason := judge.complete_pairs(result, test):
                    reasons[f"{result.cell.task} {test.test}"] = reason
    return reasons


def _has_counts(test_pairs: TestPairs, test: TestResult) -> bool:
    """Whether the pairs are as many as the result was scored on."""
    return (test_pairs.pairs.n_ordered, len(test_pairs.pairs)) == (test.n_ordered, test.n_pairs)
