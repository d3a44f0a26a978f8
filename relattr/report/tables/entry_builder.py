"""From stored results to one entry of a table: mean accuracy, interval, published number, verdict and notes."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from relattr.dataset import Dataset
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.result import Result
from relattr.registry import Registry
from relattr.report.tables import short_notes
from relattr.report.tables.audits import LeakNote
from relattr.report.tables.correlations import correlation_interval
from relattr.report.tables.entry import LEVEL, TableEntry, reproduction_verdict
from relattr.report.tables.folds import TestRows, group_folds, mean_accuracy, pooled_accuracy
from relattr.report.tables.judging import Judge, NotJudgeable
from relattr.report.tables.published import (
    RELIABILITY,
    PublishedNumber,
    is_published_by_attribute,
    is_published_constant,
    published_number,
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
from relattr.report.tables.significance import ComputedEntry, EntryJudgements
from relattr.statistics import estimate_accuracy

LeakNotes = Mapping[str, Sequence[LeakNote]]
"""Dataset -> notes on its leaks."""


@dataclass(frozen=True)
class PublishedMean:
    """The mean of the numbers published for some attributes of a column; None if they are not all published."""

    accuracy: float | None = None
    reliability: str = ""

    @property
    def over_part(self) -> bool:
        """Whether it replaces the published mean over all attributes."""
        return self.accuracy is not None


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
        number = self._published_number(row, column, attribute) if row.paper_row else None
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

    def _published_number(self, row: RowResults, column: ColumnSpec, attribute: str | None) -> PublishedNumber | None:
        """The published number of a row in a column, or of one attribute of it.

        A published mean over attributes is not the number of a column that shows one of them.
        """
        table, column_name = self._benchmark.table.published, column.published or column.label
        wanted = attribute or ("" if column.attribute == "*" else column.attribute)
        number = published_number(table, row.paper_row, column_name, wanted)
        if number is None and attribute is None and not is_published_by_attribute(table, column_name):
            number = published_number(table, row.paper_row, column_name)
        return number

    def _published_mean(
        self,
        row: RowResults,
        column: ColumnSpec,
        attribute: str | None,
        attributes: Sequence[str],
        measured: Collection[str],
    ) -> PublishedMean:
        """The published mean over the measured attributes, if those are only part of a column's.

        It has no accuracy if all attributes are measured, or if one of the measured ones is not published.
        """
        if attribute is not None or not row.paper_row or set(measured) == set(attributes):
            return PublishedMean()
        table, name = self._benchmark.table.published, column.published or column.label
        numbers = [published_number(table, row.paper_row, name, each) for each in attributes if each in measured]
        known = [number for number in numbers if number is not None and number.accuracy is not None]
        if not numbers or len(known) < len(numbers):
            return PublishedMean()
        mean = sum(number.accuracy or 0.0 for number in known) / len(known)
        return PublishedMean(mean, max((number.reliability for number in known), key=list(RELIABILITY).index))

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
        by_attribute: dict[str, TestRows] = defaultdict(list)
        for result, test in rows:
            by_attribute[result.cell.attribute].append((result, test))
        measured = 100 * mean_accuracy(rows)
        wanted = self._wanted_cells(column, set(by_attribute), results)
        places = {place_of(result) for result, _ in rows}
        of_rows = [result_notes(result, test, self._registry) for result, test in rows]
        partial = missing_attributes_note(attributes, by_attribute, results)
        number = self._published_mean(row, column, attribute, attributes, by_attribute)
        if number.over_part:
            entry = replace(entry, published=number.accuracy, reliability=number.reliability)
            partial = [f"{note} (the published number beside it is over the same attributes)" for note in partial]
        elif attribute is None and len(attributes) > 1 and len(by_attribute) == 1:
            entry = replace(entry, published=None, reliability="")  # a published mean is not that of one attribute
        deviations = [note for notes in of_rows for note in notes.deviations]
        # a mean over other attributes or splits is another quantity; one over fewer seeds is only less precise
        comparable = (
            not deviations
            and (not partial or number.over_part)
            and {place[:2] for place in wanted} <= {place[:2] for place in places}
        )
        missing = missing_cells_note(wanted, places, results)
        leaks = [
            leak
            for leak in self._leaks.get(column.dataset, ())
            if any(leak.affects(str(result.cell.task), test.test) for result, test in rows)
        ]
        stale = [note for result, _ in rows for note in self._staleness.changed(result)]
        not_loaded = [note for result, _ in rows for note in self._staleness.not_loaded(result)]
        not_recorded = [note for result, _ in rows for note in self._staleness.not_recorded(result)]
        ties = ties_note(test for _, test in rows)
        notes = [
            *deviations,
            *partial,
            *missing,
            *ties,
            *(note for notes in of_rows for note in notes.remarks),
            *(leak.text for leak in leaks),
            *stale,
            *not_loaded,
            *not_recorded,
        ]
        kinds = {
            short_notes.PART: partial,
            short_notes.INCOMPLETE: missing,
            short_notes.TIES: ties,
            **{leak.short: [leak.text] for leak in leaks},
            short_notes.DIFFERENT: deviations if self._benchmark.table.published else (),
            short_notes.EARLIER_CODE: stale,
            short_notes.NOT_LOADED: not_loaded,
            short_notes.NOT_RECORDED: not_recorded,
        }
        short = [text for text, of_kind in kinds.items() if of_kind]
        lower = upper = image_error = seed_error = None
        judgements = None
        n_images = 0
        try:
            judged = self._judge.judge(rows)
            estimate = estimate_accuracy(judged.design, judged.judgements, weights=judged.weights, level=LEVEL)
            lower, upper, n_images = 100 * estimate.lower, 100 * estimate.upper, estimate.n_images
            image_error = 100 * estimate.variance_images**0.5
            seed_error = None if estimate.variance_seeds is None else 100 * estimate.variance_seeds**0.5
            judgements = EntryJudgements(judged, rows)
        except NotJudgeable as error:
            notes.append(f"no interval: {error}")
            short.append(short_notes.NO_INTERVAL)
        seeds = {result.cell.seed for result, _ in rows}
        spearman = _mean_correlation(by_attribute)
        correlation = None if spearman is None else correlation_interval(self._judge, rows)
        verdict = (
            "" if entry.published is None else reproduction_verdict(measured, lower, upper, entry.published, comparable)
        )
        entry = replace(
            entry,
            measured=measured,
            lower=lower,
            upper=upper,
            n_ordered=sum({(r.cell.attribute, r.cell.split): test.n_ordered for r, test in rows}.values()),
            n_images=n_images,
            n_attributes=len(by_attribute),
            n_tasks=len({place[:2] for place in wanted} & {place[:2] for place in places}),
            n_seeds=len(seeds),
            seed_spread=_seed_spread(by_attribute),
            spearman=spearman,
            spearman_lower=None if correlation is None else correlation.lower,
            spearman_upper=None if correlation is None else correlation.upper,
            cross_validated=any(test.fold for _, test in rows),
            custom_tie_rule=any(test.ties != "error" for _, test in rows),
            image_standard_error=image_error,
            seed_standard_error=seed_error,
            seconds=_seconds(rows),
            verdict=verdict,
            notes=tuple(dict.fromkeys(notes)),
            short_notes=tuple(short),
        )
        return ComputedEntry(entry, judgements)

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
