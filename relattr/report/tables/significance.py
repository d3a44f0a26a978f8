"""The best entry of each column, and the entries that are not significantly different from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from relattr.report.tables.entry import LEVEL, TableEntry
from relattr.report.tables.folds import TestRows
from relattr.report.tables.judging import Judge, Judgements, NotJudgeable, TestKey, test_key
from relattr.statistics import Difference, LargestDifference, difference, difference_covariance, estimate_accuracy

CHANCE = 50.0
"""The accuracy of guessing, in per cent."""


@dataclass(frozen=True)
class EntryJudgements:
    """The pairwise judgements that an entry summarises, and their results; needed to compare it with others."""

    judged: Judgements
    rows: TestRows

    @property
    def tests(self) -> tuple[TestKey, ...]:
        """The sorted keys of its test sets."""
        return self.judged.tests


@dataclass(frozen=True)
class ComputedEntry:
    """An entry with its judgements; None if the number has no interval and can be compared with nothing."""

    entry: TableEntry
    judgements: EntryJudgements | None = None


def mark_best_entries(
    judge: Judge, grid: Sequence[Sequence[ComputedEntry]], guessing: Collection[int] = ()
) -> list[list[TableEntry]]:
    """Return the entries of ``grid`` ``[row][column]``, with ``best`` and ``p_best`` set in each column.

    Nothing is marked in a column whose best is not significantly better than guessing (`is_above_chance`). The rows
    ``guessing``, whose answers are random, are compared with nothing: their accuracy is known to be 50 %, so that what
    they happened to guess says nothing about the others.

    The p-values take into account that the best is chosen by the data (`LargestDifference`). A mean over part of the
    attributes or splits may be high because the difficult ones are missing. An entry on other test sets than the best
    is compared with it on what both have, but is never marked. Fewer seeds only make a number less precise. If the
    best has no interval, nothing can be compared with it, and nothing is marked.
    """
    entries = [[computed.entry for computed in row] for row in grid]
    for k in range(len(grid[0]) if grid else 0):
        measured = [i for i, row in enumerate(entries) if row[k].measured is not None and not row[k].custom_tie_rule]
        candidates = [i for i in measured if i not in guessing]
        if len(measured) < 2 or not candidates:
            continue
        best = max(candidates, key=lambda i: (*best_key(entries[i][k]), -i))
        of_best = grid[best][k].judgements
        if of_best is None:
            continue
        decided = is_above_chance(of_best, len(candidates))
        entries[best][k] = replace(entries[best][k], best=decided)
        comparisons: dict[int, Difference] = {}
        for i in candidates:
            if i == best:
                continue
            comparison = compare_entries(judge, of_best, grid[i][k].judgements)
            if comparison is not None:
                comparisons[i] = comparison
        complete = [i for i in comparisons if (of_i := grid[i][k].judgements) and of_i.tests == of_best.tests]
        computed = {i: grid[i][k] for i in [best, *complete]}
        adjust = _adjustment(computed, best, {i: comparisons[i] for i in complete})
        for i, comparison in comparisons.items():
            p = adjust(comparison.p)
            entries[i][k] = replace(entries[i][k], best=decided and i in complete and p >= 1 - LEVEL, p_best=p)
    return entries


def best_key(entry: TableEntry) -> tuple[int, float]:
    """Sort key of a column's entries: the best is measured on most tasks, and is the most accurate of those."""
    return entry.n_tasks, entry.measured or 0.0


def is_above_chance(best: EntryJudgements, n: int) -> bool:
    """Whether the most accurate of ``n`` methods is significantly better than guessing.

    The interval that must exclude 50 % is adjusted for the choice of the most accurate (Bonferroni): of many methods
    that guess, one may be lucky.
    """
    judged = best.judged
    level = 1 - (1 - LEVEL) / n
    estimate = estimate_accuracy(judged.design, judged.judgements, weights=judged.weights, level=level)
    return 100 * estimate.lower > CHANCE


def _adjustment(
    computed: Mapping[int, ComputedEntry], best: int, comparisons: Mapping[int, Difference]
) -> Callable[[float], float]:
    """Return the adjustment of p-values of comparisons with the best for its selection among these entries."""
    entries = [each.judgements.judged for each in computed.values() if each.judgements is not None]
    n = len(entries)
    if n < 3:
        return lambda p: p
    design = entries[0].design
    if any(entry.design is not design for entry in entries):  # judged on different tests: no common covariance
        return lambda p: min(1.0, p * n * (n - 1) / 2)
    seeds = [_variance_of_seeds(each.entry, [other.entry for other in computed.values()]) for each in computed.values()]
    covariance = difference_covariance(
        design,
        [entry.judgements for entry in entries],
        [entry.weights for entry in entries],
        variances_images=[comparisons[i].variance_images if i in comparisons else 0.0 for i in computed],
        variances_seeds=seeds,
        best=list(computed).index(best),
    )
    return LargestDifference(covariance).adjusted_p


def _variance_of_seeds(entry: TableEntry, entries: Sequence[TableEntry]) -> float:
    """The variance of an accuracy in [0, 1] between trainings; an entry of one seed varies as the others do on average.

    As in `difference`; 0 if no entry has several seeds.
    """
    if entry.seed_standard_error is not None:
        return (entry.seed_standard_error / 100) ** 2
    known = [
        each.n_seeds * (each.seed_standard_error / 100) ** 2 for each in entries if each.seed_standard_error is not None
    ]
    return sum(known) / len(known) if known else 0.0


def compare_entries(judge: Judge, first: EntryJudgements | None, second: EntryJudgements | None) -> Difference | None:
    """First accuracy minus second on the test sets that both have; None if they share none."""
    if first is None or second is None:
        return None
    if first.tests != second.tests:
        common = set(first.tests) & set(second.tests)
        try:
            first, second = _restrict(judge, first, common), _restrict(judge, second, common)
        except NotJudgeable:
            return None
    one, other = first.judged, second.judged
    weights = one.weights, other.weights
    return difference(one.design, one.judgements, other.judgements, weights=weights, level=LEVEL)


def _restrict(judge: Judge, entry: EntryJudgements, tests: set[TestKey]) -> EntryJudgements:
    """The judgements of an entry on these test sets only. Raises `NotJudgeable` if it has none of them."""
    rows = [(result, test) for result, test in entry.rows if test_key(result, test.test) in tests]
    if not rows:
        raise NotJudgeable("no test set in common")
    return EntryJudgements(judge.judge(rows), rows)
