"""Spearman's rank correlations of strengths and scores in a table, with intervals over images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relattr.harness.result import Result, TestResult
from relattr.report.tables.entry import LEVEL, TableEntry
from relattr.report.tables.judging import Judge, NotJudgeable
from relattr.report.tables.table import PaperTable
from relattr.statistics import spearman
from relattr.statistics.correlation_interval import CorrelationEstimate, CorrelationSample, estimate_correlation

CORRELATIONS = (
    "Spearman's rank correlation between strengths and the scores of the test images; ties have their mean rank."
)
CORRELATION_INTERVAL = (
    "In brackets, the 95 % confidence interval, as for accuracies (jackknife over images, on Fisher's scale)."
)
MAX_DIFFERENCE = 1e-9
"""A stored correlation that differs by more from that of the stored strengths and scores is of other scores."""


def correlation_interval(judge: Judge, rows: Sequence[tuple[Result, TestResult]]) -> CorrelationEstimate | None:
    """Return the mean correlation of results of one method with its interval.

    None for the folds of a cross-validation, whose models are not independent of one another, and where the scores of
    the test images are unknown: they are known if all their pairs are tested.
    """
    samples = []
    for result, test in rows:
        try:
            test_pairs, strengths = judge.strengths_of(result, test)
        except NotJudgeable:
            return None
        order = test_pairs.pairs.order
        if order is None or test.fold or test.spearman is None:
            return None
        values = np.asarray(strengths)[order.items]
        stored = spearman(values, order.strengths)
        if stored is None or abs(stored - test.spearman) > MAX_DIFFERENCE:
            return None
        ids = np.asarray(test_pairs.image_ids)[order.items]
        samples.append(CorrelationSample(f"{result.cell.task} {test.test}", values, order.strengths, ids))
    return estimate_correlation(samples, level=LEVEL)


def correlated_columns(table: PaperTable) -> list[int]:
    """The columns of a table in which some entry has a correlation."""
    return [k for k in range(len(table.columns)) if any(row.entries[k].spearman is not None for row in table.rows)]


def correlations_caption(table: PaperTable) -> str:
    """What the correlations of a table are, and their intervals if any has one."""
    known = any(entry.spearman_lower is not None for row in table.rows for entry in row.entries)
    return f"{CORRELATIONS} {CORRELATION_INTERVAL}" if known else CORRELATIONS


def correlation_text(entry: TableEntry) -> str:
    """A correlation with its interval as text: ``0.798 [0.781, 0.814]``; a dash without one."""
    if entry.spearman is None:
        return "–"
    if entry.spearman_lower is None or entry.spearman_upper is None:
        return f"{entry.spearman:.3f}"
    return f"{entry.spearman:.3f} [{entry.spearman_lower:.3f}, {entry.spearman_upper:.3f}]"
