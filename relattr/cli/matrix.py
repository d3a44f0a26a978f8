"""``relattr plan``, ``run`` and ``status``: the cells of a benchmark."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relattr.cli.shared import choice_of, columns, load_registry, matrix_options
from relattr.errors import BadInput
from relattr.execution.resources import jobs_by_default
from relattr.harness import benchmark as benchmarks
from relattr.harness.estimate import CellDurations, times
from relattr.harness.limits import share_of_memory, show_seconds, show_size
from relattr.harness.plan import Plan, PlannedCell, make_plan
from relattr.harness.result import FAILURES, Result
from relattr.harness.store import Store, Unreadable
from relattr.registry import Registry

if TYPE_CHECKING:
    from relattr.cli.reporter import Reporter
    from relattr.execution.backends import Executor
    from relattr.harness.benchmark import Benchmark


def _plan(benchmark: str, chosen: dict[str, Any]) -> tuple[Plan, Registry, Store]:
    definition = benchmarks.load(benchmark)
    registry = load_registry(chosen["plugin_folders"])
    store = Store(chosen["results"])
    return make_plan(definition, registry, store, choice_of(chosen)), registry, store


@click.command()
@matrix_options
@click.option(
    "--jobs",
    "-j",
    default=0,
    show_default="as for relattr run",
    metavar="N",
    help="Cells at once, for the time estimate and the usual memory limit.",
)
def plan(benchmark: str, jobs: int, **chosen: Any) -> None:
    """Show every cell of BENCHMARK: whether it would run, why, for how long, and within which limits.

    BENCHMARK is a name from `relattr list benchmarks` or a .toml file of your own.

    \b
    done        there is a result, and nothing that decides it has changed
    missing     no result yet
    stale       code, data or weights have changed since; it will run again
    blocked     something is not here (files, weights, a package); it will be tried
    skipped     the method does not apply to the task
    failed      it ran and failed, took too long or too much memory, or crashed; the word before the colon is
                what `relattr run --retry` wants to run it again
    unreadable  its file is not a result; it is set aside and the cell runs
    """
    made, _, store = _plan(benchmark, chosen)
    known = times(made.cells, store)
    rows = []
    for p in made.cells:
        took = known.of(p) if p.must_run else None
        about = f"~{show_seconds(took)}" if took is not None else ""
        rows.append((_state(p), p.cell.method, str(p.cell.task), f"seed {p.cell.seed}", about, p.reason))
    click.echo(columns(rows))
    _absent(made)
    jobs = jobs or jobs_by_default(made.benchmark.threads, "auto")
    _limits(made, jobs)
    click.echo(f"\n{_count(made.cells)}. Results in {chosen['results']}/.")
    _estimate(made, known, jobs)


@click.command()
@matrix_options
def status(benchmark: str, **chosen: Any) -> None:
    """Show what the cells of BENCHMARK came to so far: accuracy, time, memory, or what went wrong.

    May be asked at any time, also while runs go on. Stale results are shown with --keep-stale.
    """
    made, _, store = _plan(benchmark, chosen)
    rows = []
    for p in made.cells:
        accuracy = seconds = memory = ""
        if p.result is not None and p.result.status == "ok" and (p.state == "done" or p.keep_stale):
            accuracy = ", ".join(f"{t.test} {100 * t.accuracy:.2f}" for t in p.result.tests)
            seconds = show_seconds((p.result.seconds_fit or 0) + (p.result.seconds_compare or 0))
            memory = show_size(p.result.peak_memory_bytes) if p.result.peak_memory_bytes else ""
        state = "running" if p.must_run and store.is_locked(p.cell) else _state(p)
        rows.append(
            (state, p.cell.method, str(p.cell.task), f"seed {p.cell.seed}", accuracy, seconds, memory, p.reason)
        )
    click.echo(columns(rows))
    _absent(made)
    foreign = [found for found in store if isinstance(found, Unreadable)]
    for found in foreign:
        click.echo(f"not a result: {found.path}: {found.why}")
    click.echo(f"\n{_count(made.cells)}. Results in {chosen['results']}/.")


@click.command()
@matrix_options
@click.option(
    "--retry", multiple=True, type=click.Choice(FAILURES), help="Run cells again that ended so. May be repeated."
)
@click.option(
    "--jobs",
    "-j",
    default=0,
    metavar="N",
    show_default="one a GPU; else processors / threads, at most 8, where BENCHMARK names threads; else 1",
    help="Cells at once.",
)
@click.option(
    "--backend",
    type=click.Choice(["local", "dask", "inline"]),
    default="local",
    show_default=True,
    help="Where cells run: processes here, the workers of a Dask cluster, or this very process without limits.",
)
@click.option("--address", default="", metavar="HOST:PORT", help="The Dask scheduler; without it, workers start here.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.",
)
@click.option(
    "--threads",
    default=0,
    metavar="N",
    show_default="what BENCHMARK names, or processors / jobs",
    help="Processor threads a cell may use.",
)
@click.option("--quiet", "-q", is_flag=True, help="Say only what failed, and the table.")
@click.option("--verbose", "-v", is_flag=True, help="Also say what begins, warnings and tracebacks.")
def run(
    benchmark: str,
    retry: Sequence[str],
    jobs: int,
    backend: str,
    address: str,
    device: str,
    threads: int,
    quiet: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Compute the cells of BENCHMARK that have no valid result, then show the table.

    Each cell runs in a process of its own, within its limits. A cell that fails is a row with its reason;
    the others go on. Stop it at any time: the same command goes on from there. Several may run at once on
    one folder of results.

    \b
    relattr run quick
    relattr run table3 --jobs 4 --time-limit 45m --memory-limit 6G
    relattr run table3 --methods parikh-grauman-cnn --set backbone=squeezenet1_0
    relattr run table3 --datasets lfw10 --attributes smile --attributes 'v*'
    relattr run quick --plugins my_methods/ --methods my-method
    relattr run table3 --backend dask --address tcp://head:8786
    """
    made, registry, store = _plan(benchmark, chosen)
    if not made.cells:
        why = "".join(f"; {reason}" for reason in made.without_tasks.values())
        raise BadInput(f"{benchmark} has no cell to run with this choice of methods, datasets and attributes{why}")
    for value, name in ((jobs, "--jobs"), (threads, "--threads")):
        if value < 0:
            raise click.BadParameter(f"{value} is negative", param_hint=name)
    if address and backend != "dask":
        raise BadInput("--address is the scheduler of a Dask cluster; add --backend dask")
    written: list[Result] = []
    todo = made.cells_to_run(retry)
    if todo:
        written = _compute(
            todo,
            registry,
            store,
            made.benchmark,
            retry=retry,
            jobs=jobs,
            backend=backend,
            address=address,
            device=device,
            threads=threads,
            quiet=quiet,
            verbose=verbose,
            folders=chosen["plugin_folders"],
        )
    after = {p.cell.key: store.read(p.cell) for p in made.cells}
    _summary(made, registry, store, written, after, chosen["results"])
    _next(benchmark, made, chosen["results"], chosen["plugin_folders"])
    if any(isinstance(found, Result) and found.status in FAILURES for found in after.values()):
        raise click.exceptions.Exit(1)


def _compute(
    todo: Sequence[PlannedCell],
    registry: Registry,
    store: Store,
    benchmark: Benchmark,
    *,
    retry: Sequence[str],
    jobs: int,
    backend: str,
    address: str,
    device: str,
    threads: int,
    quiet: bool,
    verbose: bool,
    folders: Sequence[Path],
) -> list[Result]:
    from relattr.cli.reporter import Reporter
    from relattr.execution.job import to_preload
    from relattr.execution.processes import supported
    from relattr.execution.runner import Runner

    if backend == "local" and not supported():
        click.echo(
            "cells can have processes of their own only on Linux: they run in this one, without limits on time and "
            "memory (--backend inline says that this is meant)",
            err=True,
        )
        backend = "inline"
    named, threads = bool(benchmark.threads), threads or benchmark.threads
    if backend == "local":
        jobs = min(jobs or jobs_by_default(threads if named else 0, device), len(todo))
    known = times(todo, store)
    with Reporter(todo, known, jobs, quiet=quiet, verbose=verbose) as reporter, _stoppable():
        runner = Runner(
            todo,
            registry,
            store,
            report=_with_log(reporter, store) if verbose else reporter.finished,
            elsewhere=reporter.elsewhere,
            say=reporter.say,
            device=device,
            threads=threads,
            folders=folders,
        )
        preload = to_preload(todo, registry)
        with _executor(backend, jobs, address, registry, reporter, folders, preload) as executor:
            return runner.run(executor)


@contextlib.contextmanager
def _executor(
    backend: str,
    jobs: int,
    address: str,
    registry: Registry,
    reporter: Reporter,
    folders: Sequence[Path],
    preload: Sequence[str],
) -> Iterator[Executor]:
    from relattr.execution import backends

    if backend == "inline":
        with backends.inline(registry, started=reporter.started) as executor:
            yield executor
    elif backend == "dask":
        with backends.dask(jobs, address, started=reporter.started) as executor:
            yield executor
    else:
        paths = [str(folder.absolute()) for folder in folders]
        with backends.local(
            jobs, folders=paths, preload=preload, heard=reporter.heard, started=reporter.started, warn=reporter.say
        ) as executor:
            yield executor


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM, as schedulers send it, stop a run as Ctrl-C does, and let neither be lost.

    An exception that a signal raises in a destructor (a lock's, a socket's) ends there: Python reports it and goes
    on. Such a one is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # once the destructor is over; not SIGINT, which shells have programs in the background ignore
    again = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    again.daemon = True

    def lost(what: sys.UnraisableHookArgs) -> None:
        if what.exc_type is not KeyboardInterrupt:
            usual(what)
        elif not again.is_alive():
            again.start()

    old, usual = signal.signal(signal.SIGTERM, stop), sys.unraisablehook
    sys.unraisablehook = lost
    try:
        yield
    finally:
        again.cancel()
        sys.unraisablehook = usual
        signal.signal(signal.SIGTERM, old)


def _with_log(reporter: Reporter, store: Store) -> Any:
    def report(planned: PlannedCell, result: Result) -> None:
        reporter.finished(planned, result)
        log = store.log(planned.cell)
        if log:
            reporter.say("    " + log.rstrip()[-4000:].replace("\n", "\n    "))

    return report


def _summary(
    made: Plan, registry: Registry, store: Store, written: Sequence[Result], after: dict[str, Any], results: Path
) -> None:
    from relattr.report.formats.write import to_text
    from relattr.report.tables.builder import build_table

    click.echo(to_text(build_table(made.benchmark, registry, store)))
    _absent(made)
    bad: dict[tuple[str, str], list[PlannedCell]] = defaultdict(list)
    for p in made.cells:
        found = after[p.cell.key]
        if isinstance(found, Result) and found.status not in ("ok", "skipped"):
            bad[found.status, found.reason].append(p)
    for (state, reason), cells in bad.items():
        named = "; ".join(str(p.cell) for p in cells[:5]) + (f"; and {len(cells) - 5} more" if len(cells) > 5 else "")
        click.echo(f"{state}: {named}: {reason}", err=True)
        if state in FAILURES:
            click.echo(f"    {store.path(cells[0].cell)}; --retry {state} runs it again", err=True)
    kept = sum(p.keep_stale for p in made.cells)
    stale = f" ({kept} of them stale)" if kept else ""
    there = len(made.cells) - len(written)
    click.echo(f"{len(written)} cells computed, {there} were there already{stale}. Results in {results}/.")


def _next(benchmark: str, made: Plan, results: Path, plugins: Sequence[Path]) -> None:
    """Say how the table just shown becomes files."""
    if made.benchmark != benchmarks.load(benchmark):  # columns of its own, for datasets that the file does not list
        click.echo(
            "To write this table as LaTeX, CSV and Markdown, put what you chose into a benchmark file of your own "
            "(docs/folder.md shows one): relattr tables FILE.toml"
        )
        return
    words = ["relattr", "tables", benchmark]
    words += ["--results", str(results)] if results != Path("results") else []
    for folder in plugins:
        words += ["--plugins", str(folder)]
    click.echo(f"LaTeX, CSV and Markdown: {shlex.join(words)}")


def _state(planned: PlannedCell) -> str:
    return "stale, kept" if planned.keep_stale else planned.state


def _estimate(made: Plan, known: CellDurations, jobs: int) -> None:
    todo = [p for p in made.cells if p.must_run]
    if not todo:
        return
    total = known.total(todo)
    parts = []
    if total.unknown < len(todo):
        parts.append(f"about {show_seconds(total.seconds / max(1, min(jobs, len(todo))))} with {jobs} at once")
    if total.unknown:
        parts.append(f"{total.unknown} cells are of methods that were never timed")
    click.echo(f"To run: {len(todo)} cells, {'; '.join(parts)}.")


def _limits(made: Plan, jobs: int) -> None:
    """The limits of the cells with ``jobs`` at once on this machine, where they are the same in one line."""
    share = share_of_memory(jobs)
    by_method = {p.cell.method: str(p.limits.over(share)) for p in made.cells}
    if not by_method:
        return
    usual, _ = Counter(by_method.values()).most_common(1)[0]
    click.echo(f"\nLimits of each cell: {usual}.")
    for method, limits in by_method.items():
        if limits != usual:
            click.echo(f"    {method}: {limits}")


def _count(cells: Sequence[PlannedCell]) -> str:
    counts = Counter(p.state for p in cells)
    return (
        f"{len(cells)} cells: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
        if cells
        else "no cells"
    )


def _absent(made: Plan) -> None:
    if made.unregistered:
        click.echo("\nListed in the benchmark but not here yet: " + ", ".join(sorted(made.unregistered)))
    for name, why in made.without_tasks.items():
        click.echo(f"\nNo tasks of {name}: {why}")
