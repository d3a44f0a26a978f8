"""``relattr run``: compute the cells of a benchmark."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import msgspec

from relattr.cli.cells import plan_from_options, report_unavailable
from relattr.cli.options import cell_threads_option, device_option, jobs_option, repeated_options, run_options
from relattr.cli.output import echo
from relattr.cli.wording import counted
from relattr.errors import BadInput
from relattr.execution.resources import check_device
from relattr.harness.benchmark import Benchmark
from relattr.harness.benchmark_paths import read_benchmark
from relattr.harness.estimate import CellDurations, extend_time_limits, known_durations
from relattr.harness.failure_place import failure_place
from relattr.harness.fingerprints import fingerprint_differences
from relattr.harness.own_data import (
    location_parameter,
    require_data,
    require_files,
    unlocated_datasets,
    with_latest_data,
)
from relattr.harness.plan import Plan, PlannedCell
from relattr.harness.result import FAILURES, Result
from relattr.harness.result_selection import ResultSelection, variant_key
from relattr.harness.store import Store, Unreadable
from relattr.harness.unreadable_data import require_readable
from relattr.registry import Registry
from relattr.system.paths import absolute_text

if TYPE_CHECKING:
    from relattr.audit import Audit
    from relattr.execution.computation import ComputeSettings
    from relattr.report.tables.audits import NoAudit


@click.command("run")
@run_options
@click.option(
    "--retry",
    multiple=True,
    type=click.Choice(FAILURES),
    help="Run the cells whose result has this status again. May be repeated.",
)
@jobs_option(
    ". Benchmarks that set the threads of a cell, such as own and quick, run several by default: with two processors "
    "and one thread each, two. --jobs 1 runs them one after another.",
    show_default="one per GPU; else processors / threads, at most 8, if BENCHMARK sets threads; else 1",
)
@click.option(
    "--backend",
    type=click.Choice(["local", "dask", "inline"]),
    default="local",
    show_default=True,
    help="Where cells run: in processes on this machine, on the workers of a Dask cluster, or in this process, "
    "without limits.",
)
@click.option(
    "--address",
    default="",
    metavar="HOST:PORT",
    help="The scheduler of the Dask cluster. Without it, workers are started on this machine.",
)
@device_option
@cell_threads_option(
    ", not of all that run at the same time; see --jobs.", show_default="what BENCHMARK sets, or processors / jobs"
)
@click.option("--quiet", "-q", is_flag=True, help="Print only failures and the table.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Also print when a cell starts, its warnings, output and traceback."
)
def command(
    benchmark: str,
    retry: Sequence[str],
    jobs: int,
    backend: str,
    address: str,
    device: str,
    threads: int,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Compute the cells of BENCHMARK that have no valid result, then show the table.

    Each cell runs in a separate process, within its limits. A cell that fails is recorded with the reason, and the
    other cells continue. A run can be stopped at any time; the same command continues it. Several runs can share one
    results folder.

    \b
    relattr run quick
    relattr run table3 --jobs 4 --time-limit 45m --memory-limit 6G
    relattr run table3 --methods parikh-grauman-cnn --set backbone=efficientnet_lite2
    relattr run table3 --datasets lfw10 --attributes smile --attributes 'v*'
    relattr run quick --plugins my_methods/ --methods my-method
    relattr run table3 --backend dask --address tcp://head:8786
    """
    store = Store(options["results"])
    plan, registry = plan_from_options(benchmark, store, options)
    if not plan.cells:
        require_data(plan.benchmark, registry)
        plan.require_cells()
    require_files(plan.cells, registry)
    if address and backend != "dask":
        raise BadInput("--address is the scheduler of a Dask cluster; add --backend dask")
    check_device(device, here=backend != "dask")
    computed: list[Result] = []
    durations = known_durations(plan.cells, store)
    plan = replace(plan, cells=extend_time_limits(plan.cells, durations))
    cells = plan.cells_to_run(retry)
    require_readable(cells, registry)
    audits = _warn_about_data(plan, registry, store)
    if cells:
        from relattr.execution.computation import ComputeSettings

        settings = ComputeSettings(backend, address, jobs, threads, device, options["plugin_folders"])
        settings = settings.resolved(len(cells), plan.benchmark.threads)
        computed = _compute(cells, registry, store, durations, settings, quiet=quiet, verbose=verbose)
    results = {planned.cell.key: store.read(planned.cell) for planned in plan.cells}
    lost = lost_results(plan.cells, results, computed)
    _print_table(plan, registry, store, audits, options)
    _print_summary(benchmark, plan, results, lost, computed, options)
    _print_next_command(benchmark, plan, registry, store, options)
    if lost or any(isinstance(result, Result) and result.status in FAILURES for result in results.values()):
        raise click.exceptions.Exit(1)


def _compute(
    cells: Sequence[PlannedCell],
    registry: Registry,
    store: Store,
    durations: CellDurations,
    settings: ComputeSettings,
    *,
    quiet: bool,
    verbose: bool,
) -> list[Result]:
    from relattr.cli.reporter import Reporter
    from relattr.execution.computation import compute_cells
    from relattr.plugin_answers import end_fork

    with Reporter(cells, durations, settings.jobs, store, quiet=quiet, verbose=verbose) as reporter:
        end_fork()  # not needed while the cells run
        return compute_cells(cells, registry, store, settings, reporter, durations)


def _warn_about_data(plan: Plan, registry: Registry, store: Store) -> dict[str, Audit | NoAudit]:
    """Print the leaks and warnings of the audits, and return them."""
    from relattr.report.tables.audits import NoAudit, audits_for_run

    datasets = (planned.cell.dataset for planned in plan.cells)
    audits = audits_for_run(plan.benchmark, registry, store, datasets)
    for name, audit in audits.items():
        if isinstance(audit, NoAudit):
            echo(f"warning: {name}: {audit.reason}", err=True)
            continue
        for observation in audit.observations:
            if observation.severity != "note":
                echo(str(observation), err=True)
    return audits


def _print_table(
    plan: Plan,
    registry: Registry,
    store: Store,
    audits: Mapping[str, Audit | NoAudit],
    options: Mapping[str, Any],
) -> None:
    """Print the table of the cells of this plan: with the chosen methods, datasets, attributes and seeds only."""
    from relattr.report.formats.text import table_to_text
    from relattr.report.tables.audits import leak_notes
    from relattr.report.tables.builder import build_table
    from relattr.report.tables.column_selection import select_columns

    variants: dict[str, set[str]] = defaultdict(set)
    for planned in plan.cells:
        variants[planned.cell.method].add(variant_key(planned.cell))
    columns = ResultSelection(datasets=options["datasets"], attributes=options["attributes"])
    chosen = ResultSelection(methods=options["methods"])
    listed = [row.method for row in plan.benchmark.rows if row.method in registry.constants]
    quoted = [name for name in listed if chosen.includes_method(name)]  # published rows, which are not run
    seeds = list(dict.fromkeys(planned.cell.seed for planned in plan.cells))
    methods = [*variants, *quoted] if options["methods"] else ()
    rows = ResultSelection(methods=methods, seeds=seeds, variants=variants)
    definition = select_columns(plan.benchmark, registry, store, columns)
    echo(table_to_text(build_table(definition, registry, store, leak_notes(audits), selection=rows)))
    report_unavailable(plan)


def lost_results(
    cells: Sequence[PlannedCell], stored: Mapping[str, Result | Unreadable | None], computed: Sequence[Result]
) -> dict[str, str]:
    """The cells without a valid result in the store at the end of a run, by key, and why.

    A folder may have been moved, unmounted or overwritten in the meantime. ``stored`` has what the store holds by key
    of cell, ``computed`` the results written by this run.
    """
    written = {result.cell.key: result for result in computed}
    lost = {}
    for planned in cells:
        key = planned.cell.key
        result = stored[key]
        if isinstance(result, Unreadable):
            verb = "cannot be read" if result.inaccessible else "is not a result"
            lost[key] = f"{result.path} {verb}: {result.reason}"
        elif result is None:
            lost[key] = "its result was stored and is not there any more" if key in written else "it has no result"
        elif key in written and msgspec.structs.replace(result, arrays=None) != written[key]:
            differences = fingerprint_differences(result.fingerprints, planned.fingerprints)
            if differences:
                lost[key] = f"its result was overwritten by that of another run: {', '.join(differences)}"
    return lost


def _is_stale(planned: PlannedCell, result: Result | Unreadable | None) -> bool:
    """Whether a cell has a stale number at the end of a run: on purpose, or because it cannot be computed now."""
    if planned.keep_stale:
        return True
    is_number = planned.state == "stale" and isinstance(result, Result) and result.status == "ok"
    return is_number and result == planned.result


def _traceback(result: Result | Unreadable | None) -> str:
    return result.traceback if isinstance(result, Result) else ""


def _status_command(benchmark: str, planned: PlannedCell, options: Mapping[str, Any]) -> str:
    """The command that shows all about one failed cell."""
    words = ["relattr", "status", benchmark, "--methods", planned.cell.method, "--attributes", planned.cell.attribute]
    return shlex.join([*words, *repeated_options(options), "--verbose"])


def _print_summary(
    benchmark: str,
    plan: Plan,
    results: Mapping[str, Result | Unreadable | None],
    lost: Mapping[str, str],
    computed: Sequence[Result],
    options: Mapping[str, Any],
) -> None:
    """Print the cells that failed, grouped by reason, and how many cells have a result in the store."""
    failures: dict[tuple[str, str], list[PlannedCell]] = defaultdict(list)
    for planned in plan.cells:
        result = results[planned.cell.key]
        if isinstance(result, Result) and result.status not in ("ok", "skipped"):
            failures[result.status, result.reason].append(planned)
    for (status, reason), cells in failures.items():
        names = "; ".join(str(planned.cell) for planned in cells[:5])
        more = f"; and {len(cells) - 5} more" if len(cells) > 5 else ""
        echo(f"{status}: {names}{more}: {reason}", err=True)
        if status in FAILURES:
            place = failure_place(_traceback(results[cells[0].cell.key]))
            echo(f"    {f'in {place}; ' if place else ''}--retry {status} runs it again", err=True)
            echo(f"    traceback and output: {_status_command(benchmark, cells[0], options)}", err=True)
    for planned in plan.cells:
        if planned.cell.key in lost:
            echo(f"lost: {planned.cell}: {lost[planned.cell.key]}", err=True)
    n_stale = sum(_is_stale(planned, results[planned.cell.key]) for planned in plan.cells)
    stale = f" ({n_stale} of them stale)" if n_stale else ""
    n_computed = sum(result.cell.key not in lost for result in computed)
    without = f", {len(lost)} without a valid result" if lost else ""
    echo(
        f"{counted(n_computed, 'cell')} computed, {len(plan.cells) - n_computed - len(lost)} already available"
        f"{stale}{without}. Results in {options['results']}/."
    )


def _is_latest_data(definition: Benchmark, plan: Plan, registry: Registry, store: Store) -> bool:
    """Whether the most recent results are on the data of this plan, so that commands without ``--data`` show it."""
    latest = with_latest_data(definition, registry, store)
    for name in unlocated_datasets(definition, registry):
        parameter = location_parameter(registry, name)
        shown, run = (str(b.dataset.get(name, {}).get(parameter, "")) for b in (latest, plan.benchmark))
        if absolute_text(shown) != absolute_text(run):
            return False
    return True


def _print_next_command(
    benchmark: str, plan: Plan, registry: Registry, store: Store, options: Mapping[str, Any]
) -> None:
    """Print the commands that write the table to files and, for own data, the page."""
    definition = read_benchmark(benchmark, registry)
    is_own = bool(unlocated_datasets(definition, registry))  # these commands find the data of the most recent results
    if not is_own and plan.benchmark.dataset != definition.dataset:  # parameters of datasets that are not in the file
        echo(
            "To write this table as LaTeX, CSV and Markdown, put your selection into a benchmark file (docs/folder.md "
            "has an example): relattr tables FILE.toml"
        )
        return
    words = [benchmark]
    if is_own and options["data"] is not None and not _is_latest_data(definition, plan, registry, store):
        words += ["--data", str(options["data"])]  # all of its results were there before
    for choice in ("methods", "datasets", "attributes", "seeds"):
        for value in options[choice]:
            words += [f"--{choice}", str(value)]
    words += repeated_options(options)
    echo(f"LaTeX, CSV and Markdown: relattr tables {shlex.join(words)}")
    if is_own:
        echo(f"A page with your photographs from least to most: relattr report {shlex.join(words)}")
