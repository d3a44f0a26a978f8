"""A paper table as data: rows, columns, measured beside published, and a note on every difference.

Built from the store and nothing else, in an order that does not depend on when a cell was computed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relattr import parameters
from relattr.errors import UnknownName
from relattr.harness.benchmark import Benchmark, Column
from relattr.harness.plan import look_up
from relattr.harness.result import Result, TestResult
from relattr.harness.store import Store, Unreadable
from relattr.registry import Registry
from relattr.report.published import published


@dataclass(frozen=True)
class Entry:
    """One method in one column."""

    measured: float | None = None
    """Mean accuracy over the attributes, in per cent."""
    published: float | None = None
    n_ordered: int = 0
    """Ordered test pairs that were judged, over all attributes."""
    attributes: Mapping[str, float] = field(default_factory=dict)
    """Accuracy in per cent on each attribute that was run."""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    label: str
    entries: tuple[Entry, ...]
    in_paper: bool


@dataclass(frozen=True)
class PaperTable:
    """A whole table; ``notes`` are (mark, text)."""

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...] = ()


Mark = Callable[[str], str]


class _Notes:
    """Gives each distinct text a letter, in the order of first use."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def mark(self, text: str) -> str:
        return self.texts.setdefault(text, _letter(len(self.texts)))

    def marks(self, texts: Sequence[str]) -> tuple[str, ...]:
        found = [self.mark(text) for text in dict.fromkeys(texts)]
        return tuple(sorted(found, key=lambda m: (len(m), m)))


def build(benchmark: Benchmark, registry: Registry, store: Store) -> PaperTable:
    """The table of a benchmark, from what the store has."""
    notes = _Notes()
    results, unreadable = _results(benchmark, registry, store)
    lines = []
    rows = [(row.method, row.published, True) for row in benchmark.rows]
    listed = {row.method for row in benchmark.rows}
    rows += [(method, "", not benchmark.table.rows) for method in sorted({m for m, _ in results} - listed)]
    for method, paper_row, in_paper in rows:
        variants = {v: found for (m, v), found in results.items() if m == method}
        measured = {v: found for v, found in variants.items() if any(r.status == "ok" for r in found)}
        for variant, found in sorted(
            (measured or variants or {"{}": []}).items(), key=lambda item: _nearness(item, method, registry)
        ):
            entries = tuple(
                _entry(benchmark, column, method, paper_row, found, registry, store, notes)
                for column in benchmark.table.columns
            )
            lines.append(Line(_label(method, variant, found, registry, paper_row), entries, in_paper))
    judged = sum(entry.n_ordered for line in lines for entry in line.entries)
    rule = "Accuracy in per cent: correct / ordered test pairs; similar pairs are not scored and a tie is an error."
    n = _n_caption(benchmark, lines) if judged else "Nothing was measured yet."
    caption = " ".join(part for part in (benchmark.table.caption, rule, n) if part)
    return PaperTable(
        name=benchmark.name,
        title=benchmark.title,
        caption=caption,
        columns=benchmark.table.columns,
        lines=tuple(lines),
        notes=tuple((mark, text) for text, mark in notes.texts.items()),
        unreadable=tuple(unreadable),
    )


def _results(
    benchmark: Benchmark, registry: Registry, store: Store
) -> tuple[dict[tuple[str, str], list[Result]], list[str]]:
    """(method, its parameters as JSON) -> results on the benchmark's datasets, and files that are none."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    unreadable = []
    wanted = {c.dataset: _dataset_values(benchmark, c.dataset, registry) for c in benchmark.table.columns}
    for item in store:
        if isinstance(item, Unreadable):
            unreadable.append(f"{item.path}: {item.why}")
            continue
        cell = item.cell
        if cell.dataset in wanted and wanted[cell.dataset] in (None, cell.dataset_parameters):
            found[cell.method, json.dumps(cell.method_parameters, sort_keys=True)].append(item)
    return dict(sorted(found.items())), unreadable


def _dataset_values(benchmark: Benchmark, name: str, registry: Registry) -> dict[str, Any] | None:
    if name not in registry.datasets:
        return None
    return parameters.values_of(registry.dataset(name).create(benchmark.dataset.get(name, {})))


def _entry(
    benchmark: Benchmark,
    column: Column,
    method: str,
    paper_row: str,
    found: Sequence[Result],
    registry: Registry,
    store: Store,
    notes: _Notes,
) -> Entry:
    paper = (
        published().get((benchmark.table.published, paper_row, column.published or column.label)) if paper_row else None
    )
    why = _no_code(method, column.dataset, registry)
    if why is not None and not found:
        return Entry(published=paper, marks=notes.marks([why]))
    here = [r for r in found if r.cell.dataset == column.dataset]
    attributes = _attributes(column, registry, here)
    tests: dict[str, list[TestResult]] = defaultdict(list)
    texts: list[str] = []
    for result in here:
        row = result.on(column.test)
        if result.status == "ok" and row is not None and result.cell.attribute in attributes:
            tests[result.cell.attribute].append(row)
            texts += [
                *_changes(result, registry),
                *result.deviations,
                *result.notes,
                *([row.note] if row.note else []),
                *_staleness(result, registry, store),
            ]
    if not tests:
        reasons = sorted({f"{r.status}: {r.reason}" for r in here if r.status != "ok"})
        return Entry(published=paper, marks=notes.marks(reasons or ["not run"]))
    accuracies = {a: 100.0 * sum(t.accuracy for t in tests[a]) / len(tests[a]) for a in attributes if a in tests}
    absent = [a for a in attributes if a not in tests]
    if absent:
        reasons = sorted({r.reason for r in here if r.status != "ok" and r.cell.attribute in absent}) or ["not run"]
        texts.append(f"mean over {', '.join(accuracies)} only; {', '.join(absent)}: {'; '.join(reasons)}")
    return Entry(
        measured=sum(accuracies.values()) / len(accuracies),
        published=paper,
        n_ordered=sum(t.n_ordered for a in accuracies for t in tests[a][:1]),
        attributes=accuracies,
        marks=notes.marks(texts),
    )


def _attributes(column: Column, registry: Registry, here: Sequence[Result]) -> list[str]:
    if column.attribute != "*":
        return [column.attribute]
    if column.dataset in registry.datasets:
        return list(registry.dataset(column.dataset).create().attributes())
    return sorted({r.cell.attribute for r in here})


def _staleness(result: Result, registry: Registry, store: Store) -> list[str]:
    """A note where the code or data that made a row has changed since; none where that cannot be told."""
    try:
        planned = look_up(result.cell, registry, store)
    except UnknownName:
        return [f"made by a plugin that is not here, {result.cell.method}"]
    return [f"made by code that has changed since: {planned.why}"] if planned.state == "stale" else []


def _no_code(method: str, dataset: str, registry: Registry) -> str | None:
    if method in registry.constants:
        return f"published only: {registry.constants[method].reason}"
    if method not in registry.methods:
        return f"no method {method} is here yet"
    return None if dataset in registry.datasets else f"no dataset {dataset} is here yet"


def _label(method: str, variant: str, found: Sequence[Result], registry: Registry, paper_row: str) -> str:
    if method in registry.constants:
        return registry.constants[method].label
    if method not in registry.methods:
        return found[0].label if found else paper_row or method
    entry = registry.methods[method]
    usual = parameters.values_of(entry.create())
    other = {k: v for k, v in json.loads(variant).items() if usual.get(k) != v}
    changes = ", ".join(f"{k}={v}" for k, v in sorted(other.items()))
    return f"{entry.label} [{changes}]" if changes else entry.label


def _changes(result: Result, registry: Registry) -> list[str]:
    """A note for each parameter of a result that is not the registered one."""
    if result.cell.method not in registry.methods:
        return []
    usual = parameters.values_of(registry.methods[result.cell.method].create())
    values = result.cell.method_parameters
    return [f"{k} is {v}, where the row has {usual.get(k)}" for k, v in sorted(values.items()) if usual.get(k) != v]


def _nearness(item: tuple[str, Any], method: str, registry: Registry) -> tuple[int, str]:
    """Sorts the variants of a method: the registered parameters first."""
    if method not in registry.methods:
        return 0, item[0]
    usual = parameters.values_of(registry.methods[method].create())
    return sum(usual.get(k) != v for k, v in json.loads(item[0]).items()), item[0]


def _n_caption(benchmark: Benchmark, lines: Sequence[Line]) -> str:
    parts = []
    for k, column in enumerate(benchmark.table.columns):
        sizes = sorted({line.entries[k].n_ordered for line in lines if line.entries[k].n_ordered})
        counts = sorted({len(line.entries[k].attributes) for line in lines if line.entries[k].n_ordered})
        if sizes:
            over = f" over {counts[-1]} attributes" if counts[-1] > 1 else ""
            parts.append(f"{column.label} n = {' or '.join(f'{s:,}' for s in sizes)}{over}")
    return "Ordered test pairs: " + "; ".join(parts) + "."


def _letter(k: int) -> str:
    """0, 1, ... -> a, b, ..., z, aa, ab, ..."""
    letters = ""
    k += 1
    while k:
        k, rest = divmod(k - 1, 26)
        letters = chr(97 + rest) + letters
    return letters
