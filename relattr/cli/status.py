"""``relattr status``: the stored results of a benchmark, cell by cell."""

from __future__ import annotations

from typing import Any

import click

from relattr.cli.cells import count_states, plan_from_options, report_unavailable, state_of
from relattr.cli.options import benchmark_options
from relattr.cli.output import echo
from relattr.cli.text_table import print_table
from relattr.harness.store import Unreadable
from relattr.harness.units import format_duration, format_size


@click.command("status")
@benchmark_options
def command(benchmark: str, **options: Any) -> None:
    """Show the state of every cell of BENCHMARK: accuracy, time and memory, or the reason for a failure.

    Can be used while runs are in progress. --keep-stale shows the numbers of stale results.
    """
    plan, _, store = plan_from_options(benchmark, options)
    rows = []
    for planned in plan.cells:
        accuracy = duration = memory = ""
        result = planned.result
        if result is not None and result.status == "ok" and (planned.state == "done" or planned.keep_stale):
            accuracy = ", ".join(f"{test.test} {100 * test.accuracy:.2f}" for test in result.tests)
            duration = format_duration((result.seconds_fit or 0) + (result.seconds_compare or 0))
            memory = format_size(result.peak_memory_bytes) if result.peak_memory_bytes else ""
        cell = planned.cell
        state = "running" if planned.must_run and store.is_locked(cell) else state_of(planned)
        seed = f"seed {cell.seed}"
        rows.append((state, cell.method, str(cell.task), seed, accuracy, duration, memory, planned.reason))
    print_table(["state", "method", "task", "seed", "accuracy (%)", "duration", "memory", "reason"], rows)
    report_unavailable(plan)
    for item in store:
        if isinstance(item, Unreadable):
            echo(f"{'cannot be read' if item.inaccessible else 'not a result'}: {item.path}: {item.reason}")
    echo(f"\n{count_states(plan.cells)}. Results in {options['results']}/.")
