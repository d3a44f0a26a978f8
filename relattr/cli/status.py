"""``relattr status``: the stored results of a folder or of a benchmark, cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from relattr import parameters
from relattr.cli.cells import report_unavailable, shown_place, state_of
from relattr.cli.groups import group_cells, shortened_reason
from relattr.cli.options import chosen_results, optional_benchmark_options, selection_from_options
from relattr.cli.output import echo
from relattr.cli.plugins import load_registry
from relattr.cli.text_table import print_table
from relattr.cli.wording import counted
from relattr.errors import UnknownName
from relattr.harness.benchmark_paths import read_benchmark
from relattr.harness.cell import Cell
from relattr.harness.dataset_settings import dataset_settings
from relattr.harness.own_data import own_benchmark
from relattr.harness.plan import Plan, PlannedCell, make_plan
from relattr.harness.release import open_results
from relattr.harness.result import FAILURES, Result
from relattr.harness.result_selection import of_loaded_plugins, variant_key
from relattr.harness.scope import benchmark_scope
from relattr.harness.staleness import look_up_cell
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.harness.units import format_duration, format_size
from relattr.registry import Registry

NO_PLUGIN = "no plugin"
"""The state of a result whose method or dataset is not loaded."""
HEADER = ["state", "method", "setting", "task", "seed", "accuracy (%)", "duration", "memory", "reason"]
MAX_LOG = 4000
"""Characters of a log that are shown, from its end."""


@dataclass(frozen=True)
class ShownCell:
    """A cell as it is shown: one that has a result, or one of the benchmark."""

    cell: Cell
    state: str
    reason: str
    result: Result | None
    shows_number: bool


@click.command("status")
@optional_benchmark_options
@click.option("--verbose", "-v", is_flag=True, help="Also list the cells without a result one by one, and tracebacks.")
def command(benchmark: str | None, verbose: bool, **options: Any) -> None:
    """Show every result in the folder, or those of BENCHMARK: accuracy, or the reason for a failure.

    With BENCHMARK, the cells that have no result are shown too. Results with other parameters on the same data and
    results of plugins that are not loaded are included. Can be used while runs are in progress. --keep-stale shows the
    numbers of stale results.
    """
    selection, store = chosen_results(options), open_results(options["results"], must_exist=False)
    registry = load_registry(options["plugin_folders"])
    items = list(store)
    stored = [item for item in items if isinstance(item, Result)]
    chosen = [result for result in stored if selection.includes(result.cell)]
    plan: Plan | None = None
    planned: list[PlannedCell] = []
    if benchmark is not None:
        definition = own_benchmark(read_benchmark(benchmark, registry), registry, items, options["data"])
        plan = make_plan(definition, registry, store, of_loaded_plugins(selection_from_options(options), registry))
        planned = [cell for cell in plan.cells if selection.includes(cell.cell)]
        chosen = benchmark_scope(plan.benchmark, registry).select(chosen)
    names: dict[str, Iterable[object]] = {
        "method": registry.methods,
        "dataset": registry.datasets,
        "attribute": {cell.cell.attribute for cell in (plan.cells if plan else ())},
        "seed": {cell.cell.seed for cell in (plan.cells if plan else ())},
    }
    selection.require_matches(stored, also=names)
    keys = {cell.cell.key for cell in planned}
    cells = [_planned_cell(cell, store) for cell in planned]
    cells += [_stored_cell(r, registry, store, options["keep_stale"]) for r in chosen if r.cell.key not in keys]
    without_result = [] if verbose else [cell for cell in planned if cell.result is None and cell.must_run]
    hidden = {cell.cell.key for cell in without_result if not store.is_locked(cell.cell)}
    _print_cells([cell for cell in cells if cell.cell.key not in hidden], registry)
    for group in group_cells([cell for cell in without_result if cell.cell.key in hidden]):
        echo(group.line())
    if plan is not None:
        report_unavailable(plan)
    for item in items:
        if isinstance(item, Unreadable):
            echo(f"{'cannot be read' if item.inaccessible else 'not a result'}: {item.path}: {item.reason}")
    _print_counts(cells, len(stored), options)
    if verbose:
        _print_tracebacks(cells, store)


def _planned_cell(planned: PlannedCell, store: StoredResults) -> ShownCell:
    is_running = planned.must_run and store.is_locked(planned.cell)
    state = "running" if is_running else state_of(planned)
    shows_number = planned.state == "done" or planned.keep_stale
    return ShownCell(planned.cell, state, planned.reason, planned.result, shows_number)


def _stored_cell(result: Result, registry: Registry, store: StoredResults, keep_stale: bool) -> ShownCell:
    cell = result.cell
    try:
        current = look_up_cell(cell, registry, store)
    except UnknownName:
        kind, name = ("dataset", cell.dataset) if cell.method in registry.methods else ("method", cell.method)
        reason = f"the {kind} {name} is not loaded; see --plugins"
        if result.status != "ok":
            reason = f"{result.status}: {result.reason}; {reason}"
        return ShownCell(cell, NO_PLUGIN, reason, result, shows_number=True)
    is_running = current.state not in ("done", "failed", "skipped") and store.is_locked(cell)
    shows_number = current.state in ("done", "blocked", "unverified") or (keep_stale and current.state == "stale")
    return ShownCell(cell, "running" if is_running else current.state, current.reason, result, shows_number)


def _print_cells(cells: Sequence[ShownCell], registry: Registry) -> None:
    """One line for each cell; ``setting`` has the parameters that tell cells of one method, or one dataset, apart."""
    of_methods = _settings(cells, registry)
    of_datasets = dataset_settings([shown.cell for shown in cells], registry)
    rows = []
    for shown, of_dataset in zip(cells, of_datasets, strict=True):
        accuracy = duration = memory = ""
        result = shown.result
        if result is not None and result.status == "ok" and shown.shows_number:
            accuracy = ", ".join(f"{test.test} {100 * test.accuracy:.2f}" for test in result.tests)
            duration = format_duration((result.seconds_fit or 0) + (result.seconds_compare or 0))
            memory = format_size(result.peak_memory_bytes) if result.peak_memory_bytes else ""
        cell = shown.cell
        setting = ", ".join(filter(None, (of_methods[cell.method, variant_key(cell)], of_dataset)))
        reason = shortened_reason(shown.reason) if shown.state.startswith("stale") else shown.reason
        line = (shown.state, cell.method, setting, str(cell.task), f"seed {cell.seed}", accuracy, duration, memory)
        rows.append((*line, reason))
    if any(of_methods.values()) or any(of_datasets):
        print_table(HEADER, rows)
    else:
        print_table(HEADER[:2] + HEADER[3:], [row[:2] + row[3:] for row in rows])


def _settings(cells: Sequence[ShownCell], registry: Registry) -> Mapping[tuple[str, str], str]:
    """(method, variant) -> ``name=value, ...`` of the parameters that differ between cells of this method."""
    variants: dict[str, dict[str, Mapping[str, Any]]] = {}
    for shown in cells:
        variants.setdefault(shown.cell.method, {})[variant_key(shown.cell)] = shown.cell.stated_parameters
    settings = {}
    for method, of_method in variants.items():
        names = {name for values in of_method.values() for name in values}
        differing = {name for name in names if len({repr(v.get(name)) for v in of_method.values()}) > 1}
        defaults: Mapping[str, Any] = {}
        if method in registry.methods:
            defaults = parameters.values_of(registry.methods[method].create())
        for key, values in of_method.items():
            words = [
                f"{name}={values[name]}"
                for name in sorted(differing & set(values))
                if name not in defaults or values[name] != defaults[name]
            ]
            settings[method, key] = ", ".join(words)
    return settings


def _print_counts(cells: Sequence[ShownCell], n_stored: int, options: Mapping[str, Any]) -> None:
    counts = Counter(shown.state for shown in cells)
    total = f"{counted(len(cells), 'cell')}: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    echo(f"\n{total if cells else 'no cells'}. Results in {shown_place(options['results'])}.")
    n_other = n_stored - sum(shown.result is not None for shown in cells)
    if n_other > 0:
        echo(f"{counted(n_other, 'other result')} there: relattr status without options lists all results.")


def _print_tracebacks(cells: Sequence[ShownCell], store: StoredResults) -> None:
    """The traceback and the end of the output of each failed cell."""
    for shown in cells:
        result = shown.result
        if result is None or result.status not in FAILURES:
            continue
        echo(f"\n{result.status}: {result.cell}: {result.reason}\n    {store.path(result.cell)}")
        for text in (result.traceback, store.log(result.cell)[-MAX_LOG:]):
            if text.strip():
                echo("    " + text.rstrip().replace("\n", "\n    "))
