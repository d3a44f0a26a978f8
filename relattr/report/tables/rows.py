"""Which lines a table has: the benchmark's methods, and each one's results with whatever parameters the store has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from relattr import parameters
from relattr.harness.benchmark import Benchmark
from relattr.harness.result import Result
from relattr.harness.scope import cells_in_scope
from relattr.harness.store import Store, Unreadable
from relattr.registry import Registry
from relattr.report.tables.slugs import free, slug


@dataclass(frozen=True)
class TableRow:
    """A line to be: a method with its parameters, and its results."""

    method: str
    label: str
    key: str
    paper_row: str
    block: int
    found: Sequence[Result]


def rows_of(benchmark: Benchmark, registry: Registry, store: Store) -> tuple[list[TableRow], list[str]]:
    """The lines of a benchmark's table, and what of the store could not be read."""
    results, unreadable = _results(benchmark, registry, store)
    rows = []
    listed = [(row.method, row.published, 0) for row in benchmark.rows]
    names = {row.method for row in benchmark.rows}
    block = 1 if benchmark.table.rows else 0
    listed += [(method, "", block) for method in sorted({m for m, _ in results} - names)]
    keys: set[str] = set()
    for method, paper_row, block in listed:
        variants = {v: found for (m, v), found in results.items() if m == method}
        measured = {v: found for v, found in variants.items() if any(r.status == "ok" for r in found)}
        shown: Iterable[tuple[str, list[Result]]] = (measured or variants or {"{}": []}).items()
        for variant, found in sorted(shown, key=lambda item: _nearness(benchmark, registry, item[0], method)):
            label, changes = _label(benchmark, registry, method, variant, found, paper_row)
            key = free(slug("-".join([method, *changes])), keys)
            rows.append(TableRow(method, label, key, paper_row, block, found))
    return rows, unreadable


def _results(
    benchmark: Benchmark, registry: Registry, store: Store
) -> tuple[dict[tuple[str, str], list[Result]], list[str]]:
    """(method, its parameters as JSON) -> results on the benchmark's datasets; and what could not be read."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    unreadable = []
    own = cells_in_scope(benchmark, registry)
    for item in store:
        if isinstance(item, Unreadable):
            unreadable.append(f"{item.path}: {item.why}")
            continue
        cell = item.cell
        if own(cell):
            found[cell.method, json.dumps(cell.method_parameters, sort_keys=True)].append(item)
    return dict(sorted(found.items())), unreadable


def _label(
    benchmark: Benchmark, registry: Registry, method: str, variant: str, found: Sequence[Result], paper_row: str
) -> tuple[str, list[str]]:
    """What a line is called, and the parameters that its name says."""
    if method in registry.constants:
        return registry.constants[method].label, []
    if method not in registry.methods:
        return (found[0].label if found else paper_row or method), []
    label, usual = registry.methods[method].label, _usual(benchmark, registry, method)
    changes = parameters.changes(json.loads(variant), usual)
    return (f"{label} [{', '.join(changes)}]" if changes else label), changes


def _usual(benchmark: Benchmark, registry: Registry, method: str) -> dict[str, Any]:
    """The parameters of a method in this benchmark: what it sets is said in a note, and not in the row's name."""
    entry = registry.methods[method]
    given = {k: v for k, v in benchmark.set.items() if k in entry.types}
    own = (key.rpartition(".") for key in benchmark.set)
    given |= {k: benchmark.set[f"{owner}.{k}"] for owner, _, k in own if owner == method and k in entry.types}
    return parameters.values_of(entry.create(given))


def _nearness(benchmark: Benchmark, registry: Registry, variant: str, method: str) -> tuple[int, str]:
    """Sorts the variants of a method: the benchmark's own parameters first."""
    if method not in registry.methods:
        return 0, variant
    usual = _usual(benchmark, registry, method)
    return sum(usual.get(k) != v for k, v in json.loads(variant).items()), variant
