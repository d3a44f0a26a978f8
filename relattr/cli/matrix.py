"""``relattr plan``, ``run`` and ``status``: the cells of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import columns, load_registry, matrix_options
from relattr.errors import BadInput
from relattr.harness import benchmark as benchmarks
from relattr.harness.plan import Choice, Plan, Planned, make_plan, parse_settings
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry

RETRIES = ("failed", "timeout", "memory", "crashed")


def _plan(
    benchmark: str,
    methods: Sequence[str],
    datasets: Sequence[str],
    settings: Sequence[str],
    results: Path,
    folders: Sequence[Path],
) -> tuple[Plan, Registry, Store]:
    definition = benchmarks.load(benchmark)
    registry = load_registry(folders)
    store = Store(results)
    return make_plan(definition, registry, store, Choice(methods, datasets, parse_settings(settings))), registry, store


@click.command()
@matrix_options
def plan(
    benchmark: str,
    methods: Sequence[str],
    datasets: Sequence[str],
    settings: Sequence[str],
    results: Path,
    plugin_folders: Sequence[Path],
) -> None:
    r"""Show every cell of BENCHMARK: whether it would run, and why.

    BENCHMARK is a name from `relattr list benchmarks` or a .toml file of your own.

    \b
    done        there is a result, and nothing that decides it has changed
    missing     no result yet
    stale       code, data or weights have changed since; it will run again
    blocked     something is not here (files, weights, a package); it will be tried
    failed      it ran and failed; `relattr run --retry failed` runs it again
    unreadable  its file is not a result; it is set aside and the cell runs
    """
    made, _, _ = _plan(benchmark, methods, datasets, settings, results, plugin_folders)
    rows = [(p.state, p.cell.method, str(p.cell.task), f"seed {p.cell.seed}", p.why) for p in made.cells]
    click.echo(columns(rows))
    _absent(made)
    click.echo(f"\n{_count(made.cells)}. Results in {results}/.")


@click.command()
@matrix_options
def status(
    benchmark: str,
    methods: Sequence[str],
    datasets: Sequence[str],
    settings: Sequence[str],
    results: Path,
    plugin_folders: Sequence[Path],
) -> None:
    """Show what the cells of BENCHMARK came to so far: accuracy, time, or what went wrong."""
    made, _, _ = _plan(benchmark, methods, datasets, settings, results, plugin_folders)
    rows = []
    for p in made.cells:
        accuracy = seconds = ""
        if p.result is not None and p.result.status == "ok":
            accuracy = ", ".join(f"{t.test} {100 * t.accuracy:.2f}" for t in p.result.tests)
            seconds = f"{(p.result.seconds_fit or 0) + (p.result.seconds_compare or 0):.1f} s"
        rows.append((p.state, p.cell.method, str(p.cell.task), f"seed {p.cell.seed}", accuracy, seconds, p.why))
    click.echo(columns(rows))
    _absent(made)
    click.echo(f"\n{_count(made.cells)}. Results in {results}/.")


@click.command()
@matrix_options
@click.option(
    "--retry", multiple=True, type=click.Choice(RETRIES), help="Run cells again that ended so. May be repeated."
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.",
)
@click.option("--threads", default=0, show_default="all", metavar="N", help="Processor threads a cell may use.")
def run(
    benchmark: str,
    methods: Sequence[str],
    datasets: Sequence[str],
    settings: Sequence[str],
    results: Path,
    plugin_folders: Sequence[Path],
    retry: Sequence[str],
    device: str,
    threads: int,
) -> None:
    r"""Compute the cells of BENCHMARK that have no valid result, then show the table.

    A cell that fails is a row with its reason; the others go on. Stop it at any time: the same command
    goes on from there.

    \b
    relattr run quick
    relattr run table3 --methods parikh-grauman-cnn --set backbone=squeezenet1_0
    relattr run quick --plugins my_methods/ --methods my-method
    """
    from relattr.cli.progress import Reporter
    from relattr.harness.runner import in_this_process, run_plan
    from relattr.report.model import build
    from relattr.report.write import to_text

    made, registry, store = _plan(benchmark, methods, datasets, settings, results, plugin_folders)
    if not made.cells:
        raise BadInput(f"{benchmark} has no cell to run with this choice of methods and datasets")
    device, threads = _circumstances(device, threads)
    with Reporter(made.cells, retry) as reporter:
        executor = in_this_process(device, threads, reporter.started)
        written = run_plan(made, registry, store, executor, retry=retry, report=reporter.finished)
    click.echo(to_text(build(made.benchmark, registry, store)))
    _absent(made)
    bad = [r for r in written if r.status != "ok"]
    for result in bad:
        click.echo(f"{result.status}: {result.cell}: {result.reason}", err=True)
    kept = sum(not p.runs for p in made.cells)
    click.echo(f"{len(written)} cells computed, {kept} were there already. Results in {results}/.")
    click.echo(
        f"LaTeX, CSV and Markdown: relattr tables {benchmark}"
        + (f" --results {results}" if str(results) != "results" else "")
    )
    if any(r.status in RETRIES for r in bad) or any(p.state == "failed" and not _again(p, written) for p in made.cells):
        raise click.exceptions.Exit(1)


def _again(planned: Planned, written: Sequence[Result]) -> bool:
    return any(r.cell == planned.cell for r in written)


def _circumstances(device: str, threads: int) -> tuple[str, int]:
    import os

    if threads < 0:
        raise click.BadParameter(f"{threads} is negative", param_hint="--threads")
    if device == "auto":
        import importlib.util

        device = "cpu"
        if importlib.util.find_spec("torch") is not None:
            import torch

            device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = threads or len(
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return device, threads


def _count(cells: Sequence[Planned]) -> str:
    counts = Counter(p.state for p in cells)
    return (
        f"{len(cells)} cells: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
        if cells
        else "no cells"
    )


def _absent(made: Plan) -> None:
    if made.absent:
        click.echo("\nListed in the benchmark but not here yet: " + ", ".join(sorted(made.absent)))
