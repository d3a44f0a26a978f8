"""From the store to a `PaperTable`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.result_selection import ALL_RESULTS, ResultSelection
from relattr.harness.stored_results import StoredResults
from relattr.registry import Registry
from relattr.report.tables.ablation import Ablation, compute_ablation, find_base_row
from relattr.report.tables.captions import with_caption
from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.entry_builder import EntryBuilder, LeakNotes
from relattr.report.tables.improvement import Improvement, compute_improvement
from relattr.report.tables.judging import Judge
from relattr.report.tables.published import published_rows
from relattr.report.tables.ranking import rank_rows
from relattr.report.tables.row_results import collect_row_results
from relattr.report.tables.significance import ComputedEntry, mark_best_entries
from relattr.report.tables.slugs import slugify, unique_slug
from relattr.report.tables.table import PaperTable, TableRow

RESERVED_COLUMN_KEYS = ("notes", "published", "ranks")
"""Endings of other files of a benchmark; the files of a column's attribute table end in the key of the column."""


def build_table(
    benchmark: Benchmark,
    registry: Registry,
    store: StoredResults,
    leaks: LeakNotes | None = None,
    against: str = "",
    selection: ResultSelection = ALL_RESULTS,
) -> PaperTable:
    """Build the table of a benchmark from the results in a store.

    ``leaks`` has notes on the leaks of each dataset (`benchmark_leak_notes`). ``against`` is a method, or the key of
    a row: all other rows are compared with it in an `Ablation`. ``selection`` chooses rows and seeds; columns are
    chosen in the benchmark (`relattr.report.tables.column_selection`).

    Raises `UnknownName` if the table has no such row, or for a pattern of the selection that matches no method.
    """
    return _TableBuilder(benchmark, registry, store, leaks or {}, against, selection).build()


class _TableBuilder:
    def __init__(
        self,
        benchmark: Benchmark,
        registry: Registry,
        store: StoredResults,
        leaks: LeakNotes,
        against: str,
        selection: ResultSelection,
    ) -> None:
        other_seeds = selection.seeds and set(selection.seeds) != set(benchmark.seeds)
        if selection.seeds:  # the benchmark's other seeds are not missing, but left out
            benchmark = msgspec.structs.replace(benchmark, seeds=tuple(selection.seeds))
        self._benchmark = benchmark
        self._judge = Judge(registry, store)
        self._entries = EntryBuilder(benchmark, registry, self._judge, leaks)
        collected = collect_row_results(benchmark, registry, store, selection)
        self._rows, self._unreadable, self._settings = collected.rows, collected.unreadable, collected.settings
        if other_seeds:
            self._settings = (*self._settings, f"seeds={','.join(map(str, sorted(selection.seeds)))}")
        self._shows_part = bool(selection.methods)
        self._guessing = [
            i
            for i, row in enumerate(self._rows)
            if row.method in registry.methods and registry.methods[row.method].cls.guesses
        ]
        self._base = find_base_row(self._rows, against) if against else None

    def build(self) -> PaperTable:
        specs = self._benchmark.table.columns
        keys = set(RESERVED_COLUMN_KEYS)
        columns = tuple(TableColumn(spec.label, unique_slug(slugify(spec.label), keys)) for spec in specs)
        grid = [[self._entries.entry(row, spec) for spec in specs] for row in self._rows]
        rows = tuple(self._table_rows(grid))
        table = self._table(self._benchmark.name, self._benchmark.title, columns, rows)
        all_results = [result for row in self._rows for result in row.results]
        attribute_tables = {
            column: self._attribute_table(spec, column, attributes)
            for spec, column in zip(specs, columns, strict=True)
            if spec.attribute == "*" and len(attributes := self._entries.attributes(spec, all_results)) > 1
        }
        return replace(
            with_caption(table, self._benchmark.table.caption),
            attribute_tables=tuple(attribute_tables.values()),
            unreadable=tuple(self._unreadable),
            ablation=self._ablation(table, grid),
            ranks=rank_rows(table, attribute_tables),
            improvement=self._improvement(table),
        )

    def _attribute_table(self, spec: ColumnSpec, column: TableColumn, attributes: Sequence[str]) -> PaperTable:
        """One column attribute by attribute, with the mean last, and the rows that others published of it."""
        keys = {"mean"}
        columns = [TableColumn(attribute, unique_slug(slugify(attribute), keys)) for attribute in attributes]
        columns.append(TableColumn("Mean", "mean"))
        grid = [[self._entries.entry(row, spec, a) for a in [*attributes, None]] for row in self._rows]
        rows = self._table_rows(grid)
        others = [] if self._shows_part else published_rows(spec.published or spec.label, attributes)
        for published in others:
            entries = []
            for attribute in [*attributes, ""]:
                entry = TableEntry(constant=True, status="published")
                number = published.numbers.get(attribute)
                if number is not None:
                    entry = replace(entry, published=number.accuracy, reliability=number.reliability)
                entries.append(entry)
            label = published.label
            rows.append(TableRow(label, slugify(label), tuple(entries), "published", published.notes))
        title = f"{column.label}, attribute by attribute"
        name = f"{self._benchmark.name}-{column.key}"
        table = self._table(name, title, tuple(columns), tuple(rows))
        opening = f"{title}: the numbers whose means are in the column {column.label} of {self._benchmark.title}."
        return replace(with_caption(table, opening), ablation=self._ablation(table, grid))

    def _table(self, name: str, title: str, columns: tuple[TableColumn, ...], rows: tuple[TableRow, ...]) -> PaperTable:
        """A table without a caption, with the settings of the benchmark and of its rows."""
        replaced = {setting.partition("=")[0] for setting in self._settings}
        of_benchmark = tuple(
            f"{key}={value}" for key, value in self._benchmark.set.items() if key.rpartition(".")[2] not in replaced
        )
        return PaperTable(name, title, "", columns, rows, settings=self._settings, benchmark_settings=of_benchmark)

    def _table_rows(self, grid: Sequence[Sequence[ComputedEntry]]) -> list[TableRow]:
        return [
            TableRow(row.label, row.key, tuple(entries), row.section, name=row.name, setting=row.setting)
            for row, entries in zip(self._rows, mark_best_entries(self._judge, grid, self._guessing), strict=True)
        ]

    def _improvement(self, table: PaperTable) -> Improvement | None:
        spec = self._benchmark.table.improvement
        if spec is None or self._shows_part:
            return None
        return compute_improvement(spec, table.columns, self._rows, [row.entries for row in table.rows])

    def _ablation(self, table: PaperTable, grid: Sequence[Sequence[ComputedEntry]]) -> Ablation | None:
        if self._base is None:
            return None
        return compute_ablation(self._judge, table.name, table.title, table.columns, self._rows, grid, self._base)
