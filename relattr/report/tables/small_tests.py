"""Warnings of a table about test sets that are too small to show much."""

from __future__ import annotations

from relattr.report.tables.entry import TableEntry
from relattr.report.tables.significance import CHANCE, best_key
from relattr.report.tables.table import PaperTable
from relattr.statistics import FEW_TEST_PAIRS

AS_GUESSING = f"no method is significantly better than guessing, {CHANCE:g} % (adjusted for the number of methods)"
NOT_COMPARED = "the most accurate method has no interval, so that no other can be compared with it"
TARGET = 5.0
"""Half-width of an interval, in points, for which a warning says how many more pairs are needed."""


def size_warnings(table: PaperTable) -> tuple[str, ...]:
    """Return a warning for each column with few test pairs, and for columns in which no method differs from chance."""
    warnings = []
    undecided: dict[str, list[str]] = {AS_GUESSING: [], NOT_COMPARED: []}
    for k, column in enumerate(table.columns):
        measured = [row for row in table.rows if row.entries[k].measured is not None]
        if not measured:
            continue
        highest = max(measured, key=lambda row: row.entries[k].measured or 0.0)
        n = max(row.entries[k].n_ordered for row in measured)
        if 0 < n < FEW_TEST_PAIRS:
            pairs = "1 ordered test pair" if n == 1 else f"{n} ordered test pairs"
            advice = _advice(highest.short_name, highest.entries[k])
            warnings.append(f"{column.label}: only {pairs}{advice}")
        comparable = [row.entries[k] for row in measured if not row.entries[k].custom_tie_rule]
        if len(comparable) > 1 and not any(entry.best for entry in comparable):
            best = max(comparable, key=best_key)
            undecided[NOT_COMPARED if best.lower is None else AS_GUESSING].append(column.label)
    for reason, labels in undecided.items():
        if labels:
            where = "" if len(labels) == len(table.columns) else f" in {', '.join(labels)}"
            warnings.append(f"Nothing is marked as the best{where}, because {reason}")
    return tuple(warnings)


def _advice(method: str, entry: TableEntry) -> str:
    """How wide an interval is, and how many times as many pairs a narrow one needs."""
    if entry.half_width is None or entry.half_width <= TARGET:
        return ""
    factor = (entry.half_width / TARGET) ** 2
    times = f"{factor:.1f}" if factor < 3 else f"{factor:.0f}"
    return (
        f"; the interval of {method} is {entry.lower:.0f} to {entry.upper:.0f} %. For ± {TARGET:g} points, give about "
        f"{times} times as many comparisons, of {times} times as many images"
    )
