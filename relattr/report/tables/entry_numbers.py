"""The numbers of one entry: mean accuracy and its interval, spread over seeds, rank correlation, time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from relattr.report.tables import short_notes
from relattr.report.tables.correlations import correlation_interval
from relattr.report.tables.entry import LEVEL, TableEntry
from relattr.report.tables.folds import TestRows, group_folds, mean_accuracy, pooled_accuracy
from relattr.report.tables.judging import Judge, NotJudgeable
from relattr.report.tables.significance import ComputedEntry, EntryJudgements
from relattr.statistics import estimate_accuracy


def with_numbers(entry: TableEntry, rows: TestRows, judge: Judge) -> ComputedEntry:
    """Return an entry with the numbers of these results, which are of one method and not empty.

    If there is no interval, the notes of the entry say why.
    """
    by_attribute: dict[str, TestRows] = defaultdict(list)
    for result, test in rows:
        by_attribute[result.cell.attribute].append((result, test))
    spearman = _mean_correlation(by_attribute)
    correlation = None if spearman is None else correlation_interval(judge, rows)
    entry = replace(
        entry,
        measured=100 * mean_accuracy(rows),
        n_ordered=sum({(r.cell.attribute, r.cell.split): test.n_ordered for r, test in rows}.values()),
        n_attributes=len(by_attribute),
        n_seeds=len({result.cell.seed for result, _ in rows}),
        seed_spread=_seed_spread(by_attribute),
        spearman=spearman,
        spearman_lower=None if correlation is None else correlation.lower,
        spearman_upper=None if correlation is None else correlation.upper,
        cross_validated=any(test.fold for _, test in rows),
        custom_tie_rule=any(test.ties != "error" for _, test in rows),
        seconds=_seconds(rows),
    )
    return _with_interval(entry, rows, judge)


def _with_interval(entry: TableEntry, rows: TestRows, judge: Judge) -> ComputedEntry:
    try:
        judged = judge.judge(rows)
        estimate = estimate_accuracy(judged.design, judged.judgements, weights=judged.weights, level=LEVEL)
    except NotJudgeable as error:
        notes, short = (*entry.notes, f"no interval: {error}"), (*entry.short_notes, short_notes.NO_INTERVAL)
        return ComputedEntry(replace(entry, notes=notes, short_notes=short))
    entry = replace(
        entry,
        lower=100 * estimate.lower,
        upper=100 * estimate.upper,
        n_images=estimate.n_images,
        image_standard_error=100 * estimate.variance_images**0.5,
        seed_standard_error=None if estimate.variance_seeds is None else 100 * estimate.variance_seeds**0.5,
    )
    return ComputedEntry(entry, EntryJudgements(judged, rows))


def _seconds(rows: TestRows) -> float:
    """The time to fit and compare: the mean over seeds of each task, summed over tasks."""
    by_task: dict[tuple[str, str], list[float]] = defaultdict(list)
    for result, _ in rows:
        by_task[result.cell.attribute, result.cell.split].append(
            (result.seconds_fit or 0.0) + (result.seconds_compare or 0.0)
        )
    return sum(sum(seconds) / len(seconds) for seconds in by_task.values())


def _seed_spread(by_attribute: Mapping[str, TestRows]) -> float | None:
    """The standard deviation between seeds of the mean over attributes, in points; None with fewer than two seeds.

    Only seeds with results for all attributes count.
    """
    by_seed: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for attribute, rows in by_attribute.items():
        for group in group_folds(rows):
            by_seed[group[0][0].cell.seed][attribute].append(100 * pooled_accuracy(group))
    complete = [of_seed for of_seed in by_seed.values() if set(of_seed) == set(by_attribute)]
    if len(complete) < 2:
        return None
    means = [sum(sum(values) / len(values) for values in of_seed.values()) / len(of_seed) for of_seed in complete]
    mean = sum(means) / len(means)
    return (sum((value - mean) ** 2 for value in means) / (len(means) - 1)) ** 0.5


def _mean_correlation(by_attribute: Mapping[str, TestRows]) -> float | None:
    """The mean rank correlation over attributes; None if any result has none."""
    correlations = [[test.spearman for _, test in rows] for rows in by_attribute.values()]
    known = [[value for value in values if value is not None] for values in correlations]
    if any(len(values) != len(some) for values, some in zip(correlations, known, strict=True)):
        return None
    return sum(sum(values) / len(values) for values in known) / len(known)
