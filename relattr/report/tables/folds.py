"""Results that make one accuracy: a result on one test set, or those on all folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.harness.result import Result, TestResult

TestRows = list[tuple[Result, TestResult]]
"""Results, each with its outcome on one test set."""


def group_folds(rows: Sequence[tuple[Result, TestResult]]) -> list[TestRows]:
    """Group the results of one method: the folds of an attribute with the same seed, and every other result alone."""
    groups: dict[tuple[object, ...], TestRows] = {}
    for k, (result, test) in enumerate(rows):
        cell = result.cell
        key = (cell.dataset, cell.attribute, cell.seed, test.test) if test.fold else (k,)
        groups.setdefault(key, []).append((result, test))
    return list(groups.values())


def pooled_accuracy(group: TestRows) -> float:
    """Return the accuracy on the pairs of all test sets of a group, in [0, 1]."""
    sizes = [test.n_ordered - (test.n_tied if test.ties == "drop" else 0) for _, test in group]
    total = sum(sizes)
    if not total:
        return float("nan")
    return sum(size * test.accuracy for size, (_, test) in zip(sizes, group, strict=True) if size) / total


def mean_accuracy(rows: Sequence[tuple[Result, TestResult]]) -> float:
    """Return the mean accuracy of results of one method, in [0, 1], weighted as `attribute_weights` says."""
    by_attribute: dict[str, TestRows] = {}
    for result, test in rows:
        by_attribute.setdefault(result.cell.attribute, []).append((result, test))
    accuracies = [[pooled_accuracy(group) for group in group_folds(of_one)] for of_one in by_attribute.values()]
    return sum(sum(of_one) / len(of_one) for of_one in accuracies) / len(accuracies)


def attribute_weights(groups: Sequence[TestRows]) -> list[float]:
    """Weights that give every attribute the same weight, and every split and seed of it an equal share."""
    attributes = [group[0][0].cell.attribute for group in groups]
    return [1.0 / (len(set(attributes)) * attributes.count(attribute)) for attribute in attributes]
