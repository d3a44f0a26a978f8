"""``relattr plan``: which cells of a benchmark would run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from relattr.cli.cells import count_states, plan_from_options, report_unavailable, shown_place, state_of
from relattr.cli.groups import group_cells
from relattr.cli.options import benchmark_options, cell_threads_option, jobs_option
from relattr.cli.output import echo
from relattr.cli.text_table import print_table
from relattr.cli.wording import counted
from relattr.execution.resources import default_jobs
from relattr.harness.estimate import CellDurations, extend_time_limits, known_durations
from relattr.harness.limits import DEFAULT_TIME, Limits, memory_share
from relattr.harness.plan import Plan, PlannedCell
from relattr.harness.release import open_results
from relattr.harness.units import format_duration


@click.command("plan")
@benchmark_options
@jobs_option(", for the estimated duration and the default memory limit.", show_default="as for relattr run")
@cell_threads_option(
    ", as for relattr run; decides the default of --jobs if BENCHMARK sets threads.",
    show_default="what BENCHMARK sets",
)
@click.option("--verbose", "-v", is_flag=True, help="List every cell in a line of its own, with the whole reason.")
def command(benchmark: str, jobs: int, threads: int, verbose: bool, **options: Any) -> None:
    """Show which cells of BENCHMARK would run, why, for how long, and within which limits.

    Cells of one dataset that are in the same state for the same reason are one line. BENCHMARK is a name from
    `relattr list benchmarks` or a .toml file of your own.

    \b
    done        the stored result is valid, as far as it can be compared: the data may not be here
    missing     there is no result yet
    stale       code, data or weights have changed since; the cell runs again
    blocked     something is missing (files, weights, a package); the cell is tried
    skipped     the method does not apply to the task
    failed      the cell raised an error, exceeded a limit or crashed; `relattr run --retry STATUS`
                runs it again, where STATUS is the word before the colon in the reason
    unreadable  the file is not a result; it is set aside and the cell runs
    inaccessible  the file cannot be read, or only by another version of relattr; it is left as it is
    """
    store = open_results(options["results"], must_exist=False)
    plan, _ = plan_from_options(benchmark, store, options)
    durations = known_durations(plan.cells, store)
    plan = replace(plan, cells=extend_time_limits(plan.cells, durations))
    if verbose:
        _print_cells(plan, durations)
    else:
        _print_groups(plan, durations)
    report_unavailable(plan)
    jobs = jobs or default_jobs((threads or plan.benchmark.threads) if plan.benchmark.threads else 0, "auto")
    _print_limits(plan, jobs)
    echo(f"\n{count_states(plan.cells)}. Results in {shown_place(options['results'])}.")
    _print_estimate(plan, durations, jobs)


def _print_cells(plan: Plan, durations: CellDurations) -> None:
    rows = []
    for planned in plan.cells:
        seconds = durations.estimate(planned) if _computed([planned]) else None
        duration = f"~{format_duration(seconds)}" if seconds is not None else ""
        cell = planned.cell
        rows.append((state_of(planned), cell.method, str(cell.task), f"seed {cell.seed}", duration, planned.reason))
    print_table(["state", "method", "task", "seed", "duration", "reason"], rows)


def _print_groups(plan: Plan, durations: CellDurations) -> None:
    """One line for each group of cells that are alike."""
    groups = group_cells(plan.cells)
    for group in groups:
        total = durations.estimate_total(_computed(group.cells))
        echo(group.line(f"about {format_duration(total.seconds)}" if total.seconds else ""))
    if len(groups) < len(plan.cells):
        echo("\n--verbose lists every cell.")


def _computed(cells: Sequence[PlannedCell]) -> list[PlannedCell]:
    """The cells that a run computes, unless they stay blocked."""
    return [planned for planned in cells if planned.must_run and planned.state != "blocked"]


def _print_limits(plan: Plan, jobs: int) -> None:
    """The limits of the cells if ``jobs`` of them run at the same time: the most common ones, then the exceptions."""
    share = Limits(time=DEFAULT_TIME).with_defaults(memory_share(jobs))
    by_method = {planned.cell.method: str(planned.limits.with_defaults(share)) for planned in plan.cells}
    if not by_method:
        return
    common, _ = Counter(by_method.values()).most_common(1)[0]
    echo(f"\nLimits of each cell: {common}.")
    for method, limits in by_method.items():
        if limits != common:
            echo(f"    {method}: {limits}")


def _print_estimate(plan: Plan, durations: CellDurations, jobs: int) -> None:
    cells = _computed(plan.cells)
    n_blocked = sum(planned.must_run and planned.state == "blocked" for planned in plan.cells)
    if n_blocked:
        echo(f"{counted(n_blocked, 'blocked cell')}: a run looks again for what is missing.")
    if not cells:
        return
    total = durations.estimate_total(cells)
    parts = []
    if total.n_unknown < len(cells):
        seconds = total.seconds / max(1, min(jobs, len(cells)))
        parts.append(f"about {format_duration(seconds)} with {jobs} at the same time")
    if total.n_unknown:
        parts.append(f"no estimate for {total.n_unknown}, whose methods were never timed with these parameters")
    echo(f"To run: {counted(len(cells), 'cell')}; {'; '.join(parts)}.")
