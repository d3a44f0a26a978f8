"""Results that make one accuracy: a result on one test set, or those on all folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.harness.result import Result, TestResult

TestRows = list[tuple[Result, TestResult]]
"""Results, each with its outcome on one test set."""


def group_folds(rows: Sequence[tuple[Result, TestResult]]) -> list[TestRows]:
    """Group the results of one method: the folds of an attribute with the same seed, and every other result alone.

    A seed with fewer folds of an attribute than another has is left out: its accuracy would be on other pairs.
    """
    groups: dict[tuple[object, ...], TestRows] = {}
    for k, (result, test) in enumerate(rows):
        cell = result.cell
        key: tuple[object, ...] = (cell.dataset, cell.attribute, test.test, cell.seed) if test.fold else (k,)
        groups.setdefault(key, []).append((result, test))
    n_folds: dict[tuple[object, ...], int] = {}
    for key, group in groups.items():
        n_folds[key[:-1]] = max(len(group), n_folds.get(key[:-1], 0))
    return [group for key, group in groups.items() if len(key) == 1 or len(group) == n_folds[key[:-1]]]


def pooled_accuracy(group: TestRows) -> float:
    """Return the accuracy on the pairs of all test sets of a group, in [0, 1]."""
    sizes = [test.n_ordered - (test.n_tied if test.ties == "drop" else 0) for _, test in group]
    total = sum(sizes)
    if not total:
        return float("nan")
    return sum(size * test.accuracy for size, (_, test) in zip(sizes, group, strict=True) if size) / total


def mean_accuracy(rows: Sequence[tuple[Result, TestResult]]) -> float:
    """Return the mean accuracy of results of one method, in [0, 1], weighted as `attribute_weights` says."""
    groups = group_folds(rows)
    weights = attribute_weights(groups)
    return sum(weight * pooled_accuracy(group) for weight, group in zip(weights, groups, strict=True))


def attribute_weights(groups: Sequence[TestRows]) -> list[float]:
    """Weights that sum to 1: the same for all attributes, for all splits of an attribute, and for all seeds of a split.

    More seeds of one split do not give it more weight.
    """
    places = [(r.cell.attribute, "" if test.fold else r.cell.split) for (r, test), *_ in groups]
    attributes = [attribute for attribute, _ in set(places)]
    return [1.0 / (len(set(attributes)) * attributes.count(place[0]) * places.count(place)) for place in places]
