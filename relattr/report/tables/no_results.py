"""Why a table would show no result of a benchmark, and the command that computes some."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relattr.errors import BadInput
from relattr.harness.benchmark import Benchmark
from relattr.harness.benchmark_paths import read_benchmark
from relattr.harness.cell import Cell
from relattr.harness.data_identity import DataIdentity, identify_data
from relattr.harness.own_data import location_parameter, unlocated_datasets
from relattr.harness.result import Result
from relattr.harness.result_selection import ResultSelection
from relattr.harness.scope import benchmark_scope
from relattr.harness.stored_results import StoredResults
from relattr.name_patterns import match_names
from relattr.registry import Registry


@dataclass(frozen=True)
class MissingResults:
    """Why no result would be shown, and whether that is an error.

    It is one if there are other results on the benchmark's datasets, since a table of those may be overwritten, or if
    the table would have no rows or no columns. Without any results, a table of published numbers can be shown.
    """

    reason: str
    is_error: bool


def require_results(
    name: str, benchmark: Benchmark, registry: Registry, store: StoredResults, selection: ResultSelection
) -> None:
    """Raise `BadInput` if `why_no_results` returns an error."""
    missing = why_no_results(name, benchmark, registry, store, selection)
    if missing is not None and missing.is_error:
        raise BadInput(missing.reason)


def why_no_results(
    name: str,
    benchmark: Benchmark,
    registry: Registry,
    store: StoredResults,
    selection: ResultSelection,
    options: Sequence[str] = (),
) -> MissingResults | None:
    """Return why none of the chosen results is shown; None if one is, or if only published rows are chosen.

    ``name`` is that of the benchmark, or its file, as the user gave it. The columns of ``benchmark`` are those that are
    shown. ``options`` are added to the commands that the reason suggests. Raises `UnknownName` for a pattern that
    matches no method.
    """
    chosen = [row.method for row in benchmark.rows if selection.includes_method(row.method)]
    if chosen and all(method in registry.constants for method in chosen):
        return None
    datasets = list(dict.fromkeys(column.dataset for column in benchmark.table.columns))
    stored = [item for item in store if isinstance(item, Result) and item.cell.dataset in datasets]
    in_scope = benchmark_scope(benchmark, registry).select(stored)
    if any(selection.includes(result.cell) and _has_column(benchmark, result.cell) for result in in_scope):
        return None
    if selection.methods:
        known = [*(row.method for row in benchmark.rows), *registry.methods, *(r.cell.method for r in stored)]
        match_names(known, selection.methods, "method")
    located = _located(benchmark, registry, datasets)
    shown = ", ".join(str(benchmark.dataset[dataset][location_parameter(registry, dataset)]) for dataset in located)
    command = _run_command(name, benchmark, registry, selection, options)
    earlier = [r for r in stored if selection.includes(r.cell) and _is_earlier(r.cell, located.get(r.cell.dataset))]
    if earlier:
        verb = "is" if len(earlier) == 1 else "are"
        reason = f"no results on this version of {shown}; {len(earlier):,} {verb} of an earlier version"
        return MissingResults(f"{reason}: {command}", is_error=True)
    reason = f"no results of {benchmark.name}{f' on {shown}' if shown else ''}"
    if not stored:
        return MissingResults(f"{reason} yet: {command}", is_error=benchmark.table.only_results or not datasets)
    status = shlex.join(["relattr", "status", *options])
    on = ", ".join(dict.fromkeys(result.cell.dataset for result in stored))
    others = f"{len(stored):,} other result{'' if len(stored) == 1 else 's'} on {on}"
    reason += " with this selection" if selection else ""
    return MissingResults(f"{reason}, but {others} ({status}): {command}", is_error=True)


def _has_column(benchmark: Benchmark, cell: Cell) -> bool:
    """Whether the result of a cell is in a column of the table."""
    return any(
        column.dataset == cell.dataset
        and column.attribute in ("*", cell.attribute)
        and column.split in ("*", cell.split)
        for column in benchmark.table.columns
    )


def _located(benchmark: Benchmark, registry: Registry, datasets: Sequence[str]) -> dict[str, DataIdentity]:
    """The datasets of own data of which the benchmark says where the data is, with what identifies the data."""
    located = {}
    for name in datasets:
        parameter = location_parameter(registry, name)
        if parameter and benchmark.dataset.get(name, {}).get(parameter):
            located[name] = identify_data(registry.dataset(name).create(benchmark.dataset[name]))
    return located


def _is_earlier(cell: Cell, now: DataIdentity | None) -> bool:
    """Whether a cell is on other data that was where the data is now."""
    return (
        now is not None
        and cell.location == now.location
        and cell.dataset_parameters == now.dataset_parameters
        and cell.data != now.data
    )


def _run_command(
    name: str, benchmark: Benchmark, registry: Registry, selection: ResultSelection, options: Sequence[str]
) -> str:
    """The command that computes what is chosen."""
    words: list[Any] = ["relattr", "run", name]
    for dataset in unlocated_datasets(read_benchmark(name, registry), registry):  # the file does not say where it is
        path = benchmark.dataset.get(dataset, {}).get(location_parameter(registry, dataset))
        words += ["--data", path] if path else []
    for option, values in selection.options().items():
        words += [word for value in values for word in (f"--{option}", value)]
    return shlex.join(str(word) for word in [*words, *options])
