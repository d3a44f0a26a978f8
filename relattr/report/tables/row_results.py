"""The rows of a table before their entries are computed: each method variant with its stored results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from relattr import parameters
from relattr.harness.benchmark import Benchmark
from relattr.harness.result import Result
from relattr.harness.scope import benchmark_scope
from relattr.harness.store import Store, Unreadable
from relattr.registry import Registry
from relattr.report.tables.entry import Section
from relattr.report.tables.slugs import slugify, unique_slug


@dataclass(frozen=True)
class RowResults:
    """A method with fixed parameters, and its results; becomes one row of the table."""

    method: str
    label: str
    key: str
    paper_row: str
    """Name of the row in the published table; empty if it is not in it."""
    section: Section
    results: Sequence[Result]


def collect_row_results(benchmark: Benchmark, registry: Registry, store: Store) -> tuple[list[RowResults], list[str]]:
    """Return the rows of a benchmark's table, and the files of the store that could not be read, with the reason.

    The benchmark's methods come first, in its order; a method with results for several parameter settings has a row
    for each.
    """
    results, unreadable = _results_by_variant(benchmark, registry, store)
    rows = []
    listed: list[tuple[str, str, Section]] = [(row.method, row.published, "paper") for row in benchmark.rows]
    names = {row.method for row in benchmark.rows}
    section: Section = "other" if benchmark.table.rows else "paper"
    listed += [(method, "", section) for method in sorted({method for method, _ in results} - names)]
    keys: set[str] = set()
    for method, paper_row, section in listed:
        variants = {v: of_variant for (m, v), of_variant in results.items() if m == method}
        measured = {v: of_variant for v, of_variant in variants.items() if any(r.status == "ok" for r in of_variant)}
        shown: Iterable[tuple[str, list[Result]]] = (measured or variants or {"{}": []}).items()
        for variant, of_variant in sorted(shown, key=lambda item: _sort_key(benchmark, registry, item[0], method)):
            label, changes = _label(benchmark, registry, method, variant, of_variant, paper_row)
            key = unique_slug(slugify("-".join([method, *changes])), keys)
            rows.append(RowResults(method, label, key, paper_row, section, of_variant))
    return rows, unreadable


def _results_by_variant(
    benchmark: Benchmark, registry: Registry, store: Store
) -> tuple[dict[tuple[str, str], list[Result]], list[str]]:
    """(method, its parameters as JSON) -> results on the benchmark's datasets; and the unreadable files."""
    results: dict[tuple[str, str], list[Result]] = defaultdict(list)
    unreadable = []
    stored = []
    for item in store:
        if isinstance(item, Unreadable):
            unreadable.append(f"{item.path}: {item.reason}")
        else:
            stored.append(item)
    for result in benchmark_scope(benchmark, registry).select(stored):
        results[result.cell.method, json.dumps(result.cell.method_parameters, sort_keys=True)].append(result)
    return dict(sorted(results.items())), unreadable


def _label(
    benchmark: Benchmark, registry: Registry, method: str, variant: str, results: Sequence[Result], paper_row: str
) -> tuple[str, list[str]]:
    """The label of a row, and the parameters that it mentions because they differ from the benchmark's."""
    if method in registry.constants:
        return registry.constants[method].label, []
    if method not in registry.methods:
        return (results[0].label if results else paper_row or method), []
    label, defaults = registry.methods[method].label, _benchmark_parameters(benchmark, registry, method)
    changes = parameters.changed_parameters(json.loads(variant), defaults)
    return (f"{label} [{', '.join(changes)}]" if changes else label), changes


def _benchmark_parameters(benchmark: Benchmark, registry: Registry, method: str) -> dict[str, Any]:
    """The parameters of a method as the benchmark sets them; a note, not the row's label, reports those it sets."""
    plugin = registry.methods[method]
    settings = {k: v for k, v in benchmark.set.items() if k in plugin.types}
    qualified = (key.rpartition(".") for key in benchmark.set)
    settings |= {k: benchmark.set[f"{owner}.{k}"] for owner, _, k in qualified if owner == method and k in plugin.types}
    return parameters.values_of(plugin.create(settings))


def _sort_key(benchmark: Benchmark, registry: Registry, variant: str, method: str) -> tuple[int, str]:
    """Sorts the variants of a method by how many parameters differ from the benchmark's."""
    if method not in registry.methods:
        return 0, variant
    defaults = _benchmark_parameters(benchmark, registry, method)
    return sum(defaults.get(k) != v for k, v in json.loads(variant).items()), variant
