"""The rows of a table before their entries are computed: each method variant with its stored results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relattr import parameters
from relattr.harness.benchmark import Benchmark
from relattr.harness.cell import Cell
from relattr.harness.file_identity import content_digests
from relattr.harness.result import Result
from relattr.harness.result_selection import ALL_RESULTS, ResultSelection, variant_key
from relattr.harness.scope import benchmark_scope
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.name_patterns import match_names
from relattr.registry import Registry
from relattr.report.backbones import backbones_of
from relattr.report.tables.entry import Section
from relattr.report.tables.row_labels import RowParameters, settle_labels
from relattr.report.tables.slugs import slugify, unique_slug


@dataclass(frozen=True)
class RowResults:
    """A method with fixed parameters, and its results; becomes one row of the table."""

    method: str
    name: str
    """The method's label."""
    key: str
    paper_row: str
    """Name of the row in the published table; empty if it is not in it."""
    section: Section
    results: Sequence[Result]
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that differ from the benchmark's; empty if the plugin is not loaded."""
    setting: str = ""
    """``name=value, ...`` of those that tell it apart from other rows; see `relattr.report.tables.row_labels`."""

    @property
    def label(self) -> str:
        """The name with the setting, different for each row of a method."""
        return f"{self.name} [{self.setting}]" if self.setting else self.name


@dataclass(frozen=True)
class CollectedRows:
    """The rows of a table, what they have in common, and the files of the store that could not be read."""

    rows: list[RowResults]
    settings: tuple[str, ...]
    """``name=value`` of the changed parameters that all measured rows share."""
    unreadable: list[str]


def collect_row_results(
    benchmark: Benchmark, registry: Registry, store: StoredResults, selection: ResultSelection = ALL_RESULTS
) -> CollectedRows:
    """Return the rows of a benchmark's table.

    The benchmark's methods come first, in its order; a method with results for several parameter settings has a row
    for each. A method with results of another benchmark has a row unless it does not apply. Raises `UnknownName` for a
    pattern of the selection that matches nothing.
    """
    results, unreadable = _results_by_variant(benchmark, registry, store, selection)
    rows: list[RowResults] = []
    listed: list[tuple[str, str, Section]] = [(row.method, row.published, "paper") for row in benchmark.rows]
    names = {row.method for row in benchmark.rows}
    labels = {row.method: row.label for row in benchmark.rows}
    section: Section = "other" if benchmark.table.rows else "paper"
    with_results = sorted({method for (method, _), some in results.items() if not _do_not_apply(some)} - names)
    listed += [(method, "", section) for method in with_results]
    if selection.methods:
        others = [name for name in registry.methods if name not in names and name not in with_results]
        chosen = match_names([*names, *with_results, *others], selection.methods, "method")
        listed += [(name, "", section) for name in others if name in selection.methods]  # named, and without results
        listed = [row for row in listed if row[0] in chosen]
    keys: set[str] = set()
    for method, paper_row, section in listed:
        variants = {v: of_variant for (m, v), of_variant in results.items() if m == method}
        measured = {v: of_variant for v, of_variant in variants.items() if any(r.status == "ok" for r in of_variant)}
        shown: Iterable[tuple[str, list[Result]]] = (measured or variants or {"{}": []}).items()
        for variant, of_variant in sorted(shown, key=lambda item: _sort_key(benchmark, registry, item[0], method)):
            name = labels.get(method) or _name(registry, method, of_variant, paper_row)
            changes = _changes(benchmark, registry, method, variant, of_variant)
            words = [f"{key}={value}" for key, value in changes.items()]
            key = unique_slug(slugify("-".join([method, *words])), keys)
            rows.append(RowResults(method, name, key, paper_row, section, of_variant, changes))
    if benchmark.table.only_results:
        rows = [row for row in rows if row.results]
    settings = settle_labels([_row_parameters(registry, row) for row in rows])
    rows = [replace(row, setting=setting) for row, setting in zip(rows, settings.rows, strict=True)]
    return CollectedRows(rows, settings.common, unreadable)


def _results_by_variant(
    benchmark: Benchmark, registry: Registry, store: StoredResults, selection: ResultSelection
) -> tuple[dict[tuple[str, str], list[Result]], list[str]]:
    """(method, its parameters as JSON) -> chosen results on the benchmark's datasets; and the unreadable files."""
    results: dict[tuple[str, str], list[Result]] = defaultdict(list)
    unreadable = []
    stored = []
    for item in store:
        if isinstance(item, Unreadable):
            unreadable.append(f"{item.path}: {item.reason}")
        else:
            stored.append(item)
    for result in benchmark_scope(benchmark, registry).select(stored):
        if selection.includes(result.cell):
            results[result.cell.method, variant_key(result.cell)].append(result)
    return dict(sorted(results.items())), unreadable


def _do_not_apply(results: Iterable[Result]) -> bool:
    """Whether a method does not apply to any of the data; another table has no empty row for it."""
    return all(result.status == "skipped" for result in results)


def _name(registry: Registry, method: str, results: Sequence[Result], paper_row: str) -> str:
    if method in registry.constants:
        return registry.constants[method].label
    if method in registry.methods:
        return registry.methods[method].label
    return results[0].label if results else paper_row or method


def _changes(
    benchmark: Benchmark, registry: Registry, method: str, variant: str, results: Sequence[Result]
) -> dict[str, Any]:
    """The parameters that differ from the benchmark's, as readers see them; none if the plugin is not loaded."""
    if method not in registry.methods or not results:
        return {}
    defaults, stated = _benchmark_parameters(benchmark, registry, method), results[0].cell.stated_parameters
    return {key: stated[key] for key, value in sorted(json.loads(variant).items()) if defaults.get(key) != value}


def _row_parameters(registry: Registry, row: RowResults) -> RowParameters:
    return RowParameters(
        row.method,
        row.results[0].cell.stated_parameters if row.results else {},
        row.changes,
        known_defaults=row.method in registry.methods,
        measured=any(result.status == "ok" for result in row.results),
        backbone=_backbone(registry, row.results[0].cell) if row.results else "",
    )


def _backbone(registry: Registry, cell: Cell) -> str:
    """The network whose weights the results depend on; empty if there is none, or if the plugin is not loaded."""
    if cell.method not in registry.methods:
        return ""
    try:
        return ", ".join(backbones_of(registry.method(cell.method).create(cell.method_parameters)))
    except Exception:  # parameters of an older version, or an error in a plugin, which must not prevent the table
        return ""


def _benchmark_parameters(benchmark: Benchmark, registry: Registry, method: str) -> dict[str, Any]:
    """The parameters of a method as the benchmark sets them, with the digest of a file in place of its path.

    A note, not the row's label, reports those it sets.
    """
    plugin = registry.methods[method]
    settings = {k: v for k, v in benchmark.set.items() if k in plugin.types}
    qualified = (key.rpartition(".") for key in benchmark.set)
    settings |= {k: benchmark.set[f"{owner}.{k}"] for owner, _, k in qualified if owner == method and k in plugin.types}
    values = parameters.values_of(plugin.create(settings))
    return {**values, **content_digests(plugin.cls, values)}


def _sort_key(benchmark: Benchmark, registry: Registry, variant: str, method: str) -> tuple[int, str]:
    """Sorts the variants of a method by how many parameters differ from the benchmark's."""
    if method not in registry.methods:
        return 0, variant
    defaults = _benchmark_parameters(benchmark, registry, method)
    return sum(defaults.get(k) != v for k, v in json.loads(variant).items()), variant
