"""From stored results to one entry of a table: which results and which published number, or why there is none."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from relattr.dataset import Dataset
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.result import Result
from relattr.registry import Registry
from relattr.report.tables import short_notes
from relattr.report.tables.audits import LeakNote
from relattr.report.tables.entry import TableEntry, published_verdict
from relattr.report.tables.entry_notes import EntryNotes
from relattr.report.tables.entry_numbers import with_numbers
from relattr.report.tables.folds import TestRows
from relattr.report.tables.judging import Judge
from relattr.report.tables.published import (
    PublishedNumber,
    is_published_constant,
    published_in_column,
    published_mean,
)
from relattr.report.tables.result_notes import (
    StalenessNotes,
    first_line,
    missing_attributes_note,
    missing_cells_note,
    place_of,
    result_notes,
    ties_note,
)
from relattr.report.tables.row_results import RowResults
from relattr.report.tables.significance import ComputedEntry

LeakNotes = Mapping[str, Sequence[LeakNote]]
"""Dataset -> notes on its leaks."""


class EntryBuilder:
    """Computes the entries of a benchmark's tables; each is computed once."""

    def __init__(self, benchmark: Benchmark, registry: Registry, judge: Judge, leaks: LeakNotes) -> None:
        self._benchmark = benchmark
        self._registry = registry
        self._judge = judge
        self._leaks = leaks
        self._staleness = StalenessNotes(registry)
        self._datasets: dict[str, Dataset | None] = {}
        self._answers: dict[tuple[str, str], Sequence[Any]] = {}
        self._entries: dict[tuple[str, ColumnSpec, str | None], ComputedEntry] = {}

    def entry(self, row: RowResults, column: ColumnSpec, attribute: str | None = None) -> ComputedEntry:
        """Return the entry of a row in a column, or of one attribute of the column."""
        key = row.key, column, attribute
        if key not in self._entries:
            self._entries[key] = self._compute(row, column, attribute)
        return self._entries[key]

    def attributes(self, column: ColumnSpec, results: Sequence[Result]) -> list[str]:
        """Return the attributes of a column: those of its dataset, or of these results if the dataset lists none."""
        if column.attribute != "*":
            return [column.attribute]
        known = list(self._ask_dataset(column.dataset, "attributes"))
        if known:  # a dataset that reads its attributes from files lists none without them
            return known
        return sorted({result.cell.attribute for result in results if result.cell.dataset == column.dataset})

    def _compute(self, row: RowResults, column: ColumnSpec, attribute: str | None) -> ComputedEntry:
        table = self._benchmark.table.published
        number = published_in_column(table, row.paper_row, column, attribute) if row.paper_row else None
        constant = row.method in self._registry.constants or (
            row.method not in self._registry.methods and is_published_constant(table, row.paper_row)
        )
        results = [
            result
            for result in row.results
            if result.cell.dataset == column.dataset
            and column.split in ("*", result.cell.split)
            and (attribute is None or result.cell.attribute == attribute)
        ]
        entry = TableEntry(
            published=number.accuracy if number is not None else None,
            constant=constant,
            reliability=number.reliability if number is not None and number.attribute else "",
        )
        if constant and not results:
            return ComputedEntry(self._quoted(entry, row, number))
        attributes = [attribute] if attribute is not None else self.attributes(column, results)
        results = [result for result in results if result.cell.attribute in attributes]
        rows: TestRows = []
        for result in results:
            test = result.test_result(column.test)
            if result.status == "ok" and test is not None and test.n_ordered:
                rows.append((result, test))
        if not rows:
            return ComputedEntry(self._without_number(entry, row, column, results))
        return self._measured(entry, row, column, attribute, attributes, results, rows)

    def _quoted(self, entry: TableEntry, row: RowResults, number: PublishedNumber | None) -> TableEntry:
        """The entry of a published constant."""
        if entry.published is None:
            return replace(entry, status="published")
        reason = self._registry.constants[row.method].reason if row.method in self._registry.constants else ""
        protocol = number.protocol if number is not None else ""
        note = "; ".join(part for part in ("published, not measured here", reason, protocol) if part)
        return replace(entry, status="published", notes=(note,), short_notes=(short_notes.PUBLISHED,))

    def _without_number(
        self, entry: TableEntry, row: RowResults, column: ColumnSpec, results: Sequence[Result]
    ) -> TableEntry:
        """The entry of a row without a successful result: its status, and why."""
        failures = sorted({result.status for result in results if result.status != "ok"})
        if failures:
            reasons = sorted({f"{r.status}: {first_line(r.reason)}" for r in results if r.status != "ok"})
            short = dict.fromkeys(short_notes.FAILURES[status] for status in failures)
            return replace(entry, status=failures[0], notes=tuple(reasons), short_notes=tuple(short))
        if row.method not in self._registry.methods and not row.results:
            note = "not run: no installed method provides this row"
        elif column.dataset not in self._registry.datasets:
            note = f"the dataset {column.dataset} is not installed"
        elif results:
            note = f"not evaluated on the test set {column.test!r}"
        else:
            note = self._why_not_run(row.method, column.dataset)
        return replace(entry, status="not run", notes=(note,))

    def _why_not_run(self, method: str, name: str) -> str:
        try:
            dataset = self._dataset(name)
            pixels = method not in self._registry.methods or self._registry.method(method).create().uses_pixels
            reason = dataset and (dataset.missing() if pixels else dataset.missing_labels())
            missing = reason is not None
        except Exception:  # an error in a plugin must not prevent the table
            missing = True
        if not missing:
            return "not run"
        # without the paths that were searched, so that the note is the same on every machine
        return f"not run: the files of {name} are missing; 'relattr data list {name}' says how to get them"

    def _measured(
        self,
        entry: TableEntry,
        row: RowResults,
        column: ColumnSpec,
        attribute: str | None,
        attributes: Sequence[str],
        results: Sequence[Result],
        rows: TestRows,
    ) -> ComputedEntry:
        """The entry of a row with results: its number, and how that compares with the published one."""
        measured = {result.cell.attribute for result, _ in rows}
        partial = missing_attributes_note(attributes, measured, results)
        mean = None
        if attribute is None and row.paper_row and measured != set(attributes):
            wanted = [each for each in attributes if each in measured]
            mean = published_mean(self._benchmark.table.published, row.paper_row, column, wanted)
        if mean is not None:
            entry = replace(entry, published=mean.accuracy, reliability=mean.reliability)
            partial = [f"{note} (the published number beside it is over the same attributes)" for note in partial]
        elif attribute is None and len(attributes) > 1 and len(measured) == 1:
            entry = replace(entry, published=None, reliability="")  # a published mean is not that of one attribute
        cells = self._wanted_cells(column, measured, results)
        places = {place_of(result) for result, _ in rows}
        notes = self._notes(column, rows, partial, missing_cells_note(cells, places, results))
        tasks, measured_tasks = ({place[:2] for place in each} for each in (cells, places))
        # a mean over other attributes or splits is another quantity; one over fewer seeds is only less precise
        comparable = not notes.deviations and (not partial or mean is not None) and tasks <= measured_tasks
        computed = with_numbers(entry, rows, self._judge)
        entry = computed.entry
        entry = replace(
            entry,
            all_attributes=len(attributes),
            n_tasks=len(tasks & measured_tasks),
            verdict=published_verdict(entry, comparable=comparable),
            notes=tuple(dict.fromkeys((*notes.full, *entry.notes))),
            short_notes=(*notes.short(compared=bool(self._benchmark.table.published)), *entry.short_notes),
        )
        return replace(computed, entry=entry)

    def _notes(
        self, column: ColumnSpec, rows: TestRows, partial: Sequence[str], incomplete: Sequence[str]
    ) -> EntryNotes:
        """All notes on these results; ``partial`` and ``incomplete`` are those on what is missing from their mean."""
        of_results = [result_notes(result, test, self._registry) for result, test in rows]
        results = [result for result, _ in rows]
        return EntryNotes(
            deviations=[note for notes in of_results for note in notes.deviations],
            partial=partial,
            incomplete=incomplete,
            ties=ties_note(test for _, test in rows),
            remarks=[note for notes in of_results for note in notes.remarks],
            leaks=[
                leak
                for leak in self._leaks.get(column.dataset, ())
                if any(leak.affects(str(result.cell.task), test.test) for result, test in rows)
            ],
            earlier_code=[note for result in results for note in self._staleness.changed(result)],
            not_loaded=[note for result in results for note in self._staleness.not_loaded(result)],
            not_recorded=[note for result in results for note in self._staleness.not_recorded(result)],
        )

    def _wanted_cells(
        self, column: ColumnSpec, attributes: set[str], results: Sequence[Result]
    ) -> set[tuple[str, str, int]]:
        """The cells that the benchmark has for these attributes of a column."""
        tasks = {(task.attribute, task.split) for task in self._ask_dataset(column.dataset, "tasks")}
        tasks = tasks or {(result.cell.attribute, result.cell.split) for result in results}
        return {
            (attribute, split, seed)
            for attribute, split in tasks
            for seed in self._benchmark.seeds
            if attribute in attributes and column.split in ("*", split)
        }

    def _dataset(self, name: str) -> Dataset | None:
        """The dataset with the benchmark's parameters; None if it is not installed."""
        if name not in self._datasets:
            values = self._benchmark.dataset.get(name)
            installed = name in self._registry.datasets
            self._datasets[name] = self._registry.dataset(name).create(values) if installed else None
        return self._datasets[name]

    def _ask_dataset(self, name: str, what: Literal["attributes", "tasks"]) -> Sequence[Any]:
        """The attributes or tasks of a dataset; empty if it is not installed or raises: the table has none of it."""
        if (name, what) not in self._answers:
            self._answers[name, what] = ()
            dataset = self._dataset(name)
            if dataset is not None:
                with contextlib.suppress(Exception):
                    self._answers[name, what] = getattr(dataset, what)()
        return self._answers[name, what]
