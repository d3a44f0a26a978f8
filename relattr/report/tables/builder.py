"""From the store to a `PaperTable`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import RelattrError
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.cell import changed, fingerprints, missing
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.report.tables.ablation import Ablation, base_of, compare_with_base
from relattr.report.tables.audits import Flag
from relattr.report.tables.entry import LEVEL, Head, TableEntry, verdict
from relattr.report.tables.judging import Judge, NotJudgeable
from relattr.report.tables.published import Fact, is_by_attribute, is_constant, others, published
from relattr.report.tables.ranking import ranks_of
from relattr.report.tables.rows import TableRow, rows_of
from relattr.report.tables.significance import JudgedEntry, Rows, mark_best, weights_of
from relattr.report.tables.slugs import free, slug
from relattr.report.tables.table import BOLD, INTERVAL, RULE, Line, PaperTable, sizes
from relattr.statistics import accuracy

Flags = Mapping[str, Sequence[Flag]]
NAMED = 4
"""Cells that a note names, at most."""


def build(
    benchmark: Benchmark, registry: Registry, store: Store, flags: Flags | None = None, against: str = ""
) -> PaperTable:
    """The table of a benchmark, from what the store has.

    ``flags`` gives, for each dataset, what its audit found that touches numbers on it. ``against`` is a method,
    or the key of a row, with which all others are compared. Raises `UnknownName` where the table has no such row.
    """
    made = _Builder(benchmark, registry, store, flags or {}, against)
    return made.table()


class _Builder:
    def __init__(self, benchmark: Benchmark, registry: Registry, store: Store, flags: Flags, against: str = "") -> None:
        self.benchmark = benchmark
        self.registry = registry
        self.store = store
        self.flags = flags
        self.evidence = Judge(registry, store)
        self._fresh: dict[tuple[str, str, str, str], Mapping[str, str] | None] = {}
        self.rows, self.unreadable = rows_of(benchmark, registry, store)
        self._base = base_of(self.rows, against) if against else None
        self._everything = [r for row in self.rows for r in row.found]
        self._datasets: dict[str, Dataset | None] = {}
        self._made: dict[tuple[str, ColumnSpec, str | None], tuple[TableEntry, JudgedEntry | None]] = {}

    # ------------------------------------------------------------------------------------ what there is

    def _changes(self, result: Result) -> list[str]:
        """A note for each parameter of a result that is not the registered one, unless its method has one itself."""
        if result.cell.method not in self.registry.methods:
            return []
        usual = parameters.values_of(self.registry.methods[result.cell.method].create())
        values = result.cell.method_parameters
        notes = []
        for k, v in sorted(values.items()):
            said = re.compile(rf"\b{re.escape(k)}( is |=){re.escape(str(v))}(?![\w.])")
            if usual.get(k) != v and not any(said.search(text) for text in result.deviations):
                notes.append(f"{k} is {v}, where the row has {'its default' if usual.get(k) is None else usual[k]}")
        return notes

    # ------------------------------------------------------------------------------------ tables

    def table(self) -> PaperTable:
        columns = self.benchmark.table.columns
        taken = {"published", "ranks"}  # the files of a column are called after it, and these are others
        heads = tuple(Head(c.label, free(slug(c.label), taken)) for c in columns)
        made = [[self._entry(row, column, None) for column in columns] for row in self.rows]
        entries = mark_best(self.evidence, made)
        lines = tuple(
            Line(row.label, row.key, tuple(own), row.block) for row, own in zip(self.rows, entries, strict=True)
        )
        table = PaperTable(self.benchmark.name, self.benchmark.title, "", heads, lines)
        behind = {
            head: self._behind(column, head, attributes)
            for column, head in zip(columns, heads, strict=True)
            if column.attribute == "*" and len(attributes := self._attributes(column, self._everything)) > 1
        }
        return replace(
            table,
            caption=self._caption(self.benchmark.table.caption, table),
            behind=tuple(behind.values()),
            unreadable=tuple(self.unreadable),
            gains=self._gains(table, made),
            ranks=ranks_of(table, behind),
        )

    def _behind(self, column: ColumnSpec, head: Head, attributes: Sequence[str]) -> PaperTable:
        """One column of the paper's table, attribute by attribute."""
        taken = {"mean"}
        heads = [Head(a, free(slug(a), taken)) for a in attributes] + [Head("Mean", "mean")]
        made = [[self._entry(row, column, a) for a in [*attributes, None]] for row in self.rows]
        lines = [
            Line(row.label, row.key, tuple(own), row.block)
            for row, own in zip(self.rows, mark_best(self.evidence, made), strict=True)
        ]
        name = column.published or column.label
        for label, sources, facts in others(name, attributes):
            own = tuple(
                TableEntry(published=fact.accuracy, constant=True, status="published", reliability=fact.reliability)
                if (fact := facts.get(attribute)) is not None
                else TableEntry(constant=True, status="published")
                for attribute in [*attributes, ""]
            )
            lines.append(Line(label, slug(label), own, 2, sources))
        table = PaperTable(
            f"{self.benchmark.name}-{head.key}", f"{head.label}, attribute by attribute", "", tuple(heads), tuple(lines)
        )
        opening = f"{head.label}, attribute by attribute: what is behind its column in {self.benchmark.title}."
        return replace(table, caption=self._caption(opening, table), gains=self._gains(table, made))

    def _gains(
        self, table: PaperTable, made: Sequence[Sequence[tuple[TableEntry, JudgedEntry | None]]]
    ) -> Ablation | None:
        if self._base is None:
            return None
        return compare_with_base(self.evidence, table.name, table.title, table.columns, self.rows, made, self._base)

    def _caption(self, opening: str, table: PaperTable) -> str:
        measured = any(e.measured is not None for line in table.lines for e in line.entries)
        own_rule = any(e.own_rule for line in table.lines for e in line.entries)
        parts = [opening, f"{RULE[:-1]}, unless a note gives another rule." if own_rule else RULE, sizes(table)]
        if any(e.low is not None for line in table.lines for e in line.entries):
            parts.append(INTERVAL)
        if any(e.best for line in table.lines for e in line.entries):
            parts.append(BOLD)
        return " ".join(part for part in (parts if measured else parts[:3]) if part)

    # ------------------------------------------------------------------------------------ entries

    def _entry(self, row: TableRow, column: ColumnSpec, only: str | None) -> tuple[TableEntry, JudgedEntry | None]:
        """A method in a column, or on one attribute of it; each is made once."""
        key = row.key, column, only
        if key not in self._made:
            self._made[key] = self._make_entry(row, column, only)
        return self._made[key]

    def _make_entry(self, row: TableRow, column: ColumnSpec, only: str | None) -> tuple[TableEntry, JudgedEntry | None]:
        name = self.benchmark.table.published
        fact = self._fact(row, column, only) if row.paper_row else None
        number = fact.accuracy if fact is not None else None
        constant = row.method in self.registry.constants or (
            row.method not in self.registry.methods and is_constant(name, row.paper_row)
        )
        here = [
            r
            for r in row.found
            if r.cell.dataset == column.dataset
            and column.split in ("*", r.cell.split)
            and (only is None or r.cell.attribute == only)
        ]
        base = TableEntry(
            published=number, constant=constant, reliability=fact.reliability if fact and fact.attribute else ""
        )
        if constant and not here:
            why = self.registry.constants[row.method].reason if row.method in self.registry.constants else ""
            protocol = fact.protocol if fact is not None and number is not None else ""
            text = "; ".join(part for part in ("published, not measured here", why, protocol) if part)
            return replace(base, status="published", texts=(text,) if number is not None else ()), None
        attributes = [only] if only is not None else self._attributes(column, here)
        here = [r for r in here if r.cell.attribute in attributes]
        rows: Rows = []
        for result in here:
            test = result.on(column.test)
            if result.status == "ok" and test is not None and test.n_ordered:
                rows.append((result, test))
        if not rows:
            return self._empty(base, row, column, here), None
        return self._measured(base, column, attributes, here, rows)

    def _fact(self, row: TableRow, column: ColumnSpec, only: str | None) -> Fact | None:
        """What is published of a method in a column, or on one attribute of it.

        The mean over attributes is no number of a column of one of them.
        """
        table, place = self.benchmark.table.published, column.published or column.label
        attribute = only or ("" if column.attribute == "*" else column.attribute)
        fact = published(table, row.paper_row, place, attribute)
        if fact is None and only is None and not is_by_attribute(table, place):
            fact = published(table, row.paper_row, place)
        return fact

    def _empty(self, base: TableEntry, row: TableRow, column: ColumnSpec, here: Sequence[Result]) -> TableEntry:
        ended = sorted({r.status for r in here if r.status != "ok"})
        if ended:
            reasons = sorted({f"{r.status}: {_first_line(r.reason)}" for r in here if r.status != "ok"})
            return replace(base, status=ended[0], texts=tuple(reasons))
        if row.method not in self.registry.methods and not row.found:
            return replace(base, status="not run", texts=("not run: no method is here for this row yet",))
        if column.dataset not in self.registry.datasets:
            return replace(base, status="not run", texts=(f"no dataset {column.dataset} is here yet",))
        if here:
            return replace(base, status="not run", texts=(f"not judged on the test set {column.test!r}",))
        try:
            dataset = self._dataset(column.dataset)
            gone = dataset is not None and dataset.missing()
        except Exception as error:  # a broken plugin costs its column, not the table
            gone = f"{type(error).__name__}: {error}"
        return replace(base, status="not run", texts=(_not_here(column.dataset) if gone else "not run",))

    def _measured(
        self, base: TableEntry, column: ColumnSpec, attributes: Sequence[str], here: Sequence[Result], rows: Rows
    ) -> tuple[TableEntry, JudgedEntry | None]:
        tests: dict[str, Rows] = defaultdict(list)
        for pair in rows:
            tests[pair[0].cell.attribute].append(pair)
        value = sum(sum(t.accuracy for _, t in own) / len(own) for own in tests.values()) / len(tests)
        differing = [d for r, _ in rows for d in (*self._changes(r), *r.deviations, *r.notes)]
        absent = [a for a in attributes if a not in tests]
        if absent:
            why = sorted(
                {_first_line(r.reason) or r.status for r in here if r.status != "ok" and r.cell.attribute in absent}
            )
            differing.append(
                f"mean over {', '.join(a for a in attributes if a in tests)} only; "
                f"{', '.join(absent)}: {'; '.join(why) or 'not run'}"
            )
        texts_of_gaps, n_cells = self._gaps(column, here, rows)
        differing += texts_of_gaps
        texts = [*differing, *(t.note for _, t in rows if t.note)]
        texts += [
            flag.text
            for flag in self.flags.get(column.dataset, ())
            if any(flag.touches(str(r.cell.task), t.test) for r, t in rows)
        ]
        texts += [text for r, _ in rows for text in self._staleness(r)]
        seeds = {r.cell.seed for r, _ in rows}
        low = high = error_images = error_seeds = None
        judged = None
        n_images = 0
        try:
            design, judgements, keys = self.evidence.judge(rows)
            found = accuracy(design, judgements, weights=weights_of(rows), level=LEVEL)
            low, high, n_images = 100 * found.low, 100 * found.high, found.n_images
            error_images = 100 * found.variance_images**0.5
            error_seeds = None if found.variance_seeds is None else 100 * found.variance_seeds**0.5
            judged = JudgedEntry(design, judgements, keys, rows)
        except NotJudgeable as error:
            texts.append(f"no interval: {error}")
        entry = replace(
            base,
            measured=100 * value,
            low=low,
            high=high,
            n_ordered=sum({(r.cell.attribute, r.cell.split): t.n_ordered for r, t in rows}.values()),
            n_images=n_images,
            n_attributes=len(tests),
            n_cells=n_cells,
            n_seeds=len(seeds),
            seed_spread=_seed_spread(tests),
            spearman=_mean_correlation(tests),
            own_rule=any(t.ties != "error" for _, t in rows),
            error_images=error_images,
            error_seeds=error_seeds,
            seconds=sum((r.seconds_fit or 0.0) + (r.seconds_compare or 0.0) for r, _ in rows) / len(seeds),
            verdict="" if base.published is None else verdict(100 * value, low, high, base.published, not differing),
            texts=tuple(dict.fromkeys(texts)),
        )
        return entry, judged

    def _gaps(self, column: ColumnSpec, here: Sequence[Result], rows: Rows) -> tuple[list[str], int]:
        """A note where splits or seeds of the benchmark are not in a mean; and how many of its cells are.

        Attributes that are not in it at all have a note of their own.
        """
        there = {_place(r) for r, _ in rows}
        attributes = {attribute for attribute, _, _ in there}
        dataset = self._dataset(column.dataset)
        tasks = {(task.attribute, task.split) for task in _asked(dataset, "tasks")}
        tasks = tasks or {(attribute, split) for attribute, split, _ in map(_place, here)}
        wanted = {
            (attribute, split, seed)
            for attribute, split in tasks
            for seed in self.benchmark.seeds
            if attribute in attributes and column.split in ("*", split)
        }
        gone = sorted(wanted - there)
        if not gone:
            return [], len(wanted & there)
        whole = len(wanted | there)
        why = {_place(r): ": ".join(filter(None, (r.status, _first_line(r.reason)))) for r in here if r.status != "ok"}
        alone = len(attributes) == 1 and len({split for _, split, _ in wanted}) == 1
        named = [
            ("" if alone else f"{attribute}/{split}, ") + f"seed {seed}: {why.get((attribute, split, seed), 'not run')}"
            for attribute, split, seed in gone[:NAMED]
        ]
        more = [f"and {len(gone) - NAMED} more"] if len(gone) > NAMED else []
        return [f"mean over {whole - len(gone)} of {whole} cells; {'; '.join(named + more)}"], len(wanted & there)

    # ------------------------------------------------------------------------------------ small things

    def _dataset(self, name: str) -> Dataset | None:
        """The dataset as the benchmark sets it up; None where it is not here."""
        if name not in self._datasets:
            known = name in self.registry.datasets
            values = self.benchmark.dataset.get(name)
            self._datasets[name] = self.registry.dataset(name).create(values) if known else None
        return self._datasets[name]

    def _attributes(self, column: ColumnSpec, here: Sequence[Result]) -> list[str]:
        if column.attribute != "*":
            return [column.attribute]
        dataset = self._dataset(column.dataset)
        known = list(_asked(dataset, "attributes"))
        if known:  # those that are read from files are not known where the files are not
            return known
        return sorted({r.cell.attribute for r in here if r.cell.dataset == column.dataset})

    def _staleness(self, result: Result) -> list[str]:
        """A note where the code or data that made a row has changed since; none where that cannot be told."""
        cell = result.cell
        if cell.method not in self.registry.methods or cell.dataset not in self.registry.datasets:
            what = cell.method if cell.method not in self.registry.methods else cell.dataset
            return [f"made by a plugin that is not here, {what}"]
        key = (cell.method, repr(sorted(cell.method_parameters.items())), cell.dataset, repr(cell.dataset_parameters))
        if key not in self._fresh:
            try:
                method, dataset = self.registry.method(cell.method), self.registry.dataset(cell.dataset)
                there = missing(dataset, cell.dataset_parameters, pixels=method.cls.uses_pixels) is None
                self._fresh[key] = fingerprints(cell, method, dataset) if there else None
            except (RelattrError, OSError):
                self._fresh[key] = None
        now = self._fresh[key]
        differences = changed(result.fingerprints, now) if now is not None else []
        return [f"made by code or data that changed since: {', '.join(differences)}"] if differences else []


def _asked(dataset: Dataset | None, what: Literal["attributes", "tasks"]) -> Sequence[Any]:
    """What a dataset says it has; nothing where it is not here, or its plugin fails: that costs no table."""
    try:
        return getattr(dataset, what)() if dataset is not None else ()
    except Exception:
        return ()


def _place(result: Result) -> tuple[str, str, int]:
    return result.cell.attribute, result.cell.split, result.cell.seed


def _first_line(text: str) -> str:
    return " ".join(text.strip().split("\n")[0].split())


def _seed_spread(tests: Mapping[str, Rows]) -> float | None:
    """The standard deviation between seeds of the mean over tests, in points."""
    by_seed: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for attribute, rows in tests.items():
        for result, test in rows:
            by_seed[result.cell.seed][attribute].append(100 * test.accuracy)
    whole = [v for v in by_seed.values() if set(v) == set(tests)]
    if len(whole) < 2:
        return None
    means = [sum(sum(a) / len(a) for a in v.values()) / len(v) for v in whole]
    middle = sum(means) / len(means)
    return (sum((m - middle) ** 2 for m in means) / (len(means) - 1)) ** 0.5


def _mean_correlation(tests: Mapping[str, Rows]) -> float | None:
    """The mean over attributes of the rank correlation; None where a row has none."""
    found = [[t.spearman for _, t in own] for own in tests.values()]
    known = [[value for value in own if value is not None] for own in found]
    if any(len(a) != len(b) for a, b in zip(found, known, strict=True)):
        return None
    return sum(sum(own) / len(own) for own in known) / len(known)


def _not_here(dataset: str) -> str:
    """Short, and the same on every machine: where files were looked for is not the reader's business."""
    return f"not run: the files of {dataset} are not here; relattr data list says how to get them"
