"""Ranks of the methods of a table over attributes and columns."""

from __future__ import annotations

from collections.abc import Mapping

from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.table import PaperTable
from relattr.statistics import Ranks, average_ranks


def rank_rows(table: PaperTable, attribute_tables: Mapping[TableColumn, PaperTable]) -> Ranks | None:
    """Rank the rows of a table over the attributes of each column, or the column itself if it has no attribute table.

    None if there are too few methods or columns to rank.
    """
    row_labels = [row.label for row in table.rows]
    column_labels = [column.label for column in table.columns]
    accuracies: dict[str, dict[str, float]] = {}
    for i, row in enumerate(table.rows):
        entries: dict[str, TableEntry] = {}
        for column, entry in zip(table.columns, row.entries, strict=True):
            name = column.label if column_labels.count(column.label) == 1 else f"{column.label} ({column.key})"
            if column in attribute_tables:
                inner = attribute_tables[column]
                attributes = zip(inner.columns[:-1], inner.rows[i].entries[:-1], strict=True)  # the last is the mean
                entries |= {f"{name} {attribute.label}": e for attribute, e in attributes}
            else:
                entries[name] = entry
        measured = {
            name: entry.measured
            for name, entry in entries.items()
            if entry.measured is not None and not entry.custom_tie_rule
        }
        if measured:
            accuracies[row.label if row_labels.count(row.label) == 1 else f"{row.label} ({row.key})"] = measured
    return average_ranks(accuracies)
