"""`run` computes the cells of a benchmark, like the command ``relattr run``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relattr.errors import BadInput, UnknownName
from relattr.interface.arguments import Folder, Names, given_benchmark, given_names, given_seeds
from relattr.interface.plugins import Folders, loaded_registry, plugin_folders

if TYPE_CHECKING:
    import pandas as pd

    from relattr.execution.job import Job
    from relattr.harness.benchmark import Benchmark
    from relattr.harness.plan import Plan, PlannedCell
    from relattr.harness.result import Result
    from relattr.harness.selection import Selection
    from relattr.harness.store import Store
    from relattr.registry import Registry


def run(
    benchmark: str,
    *,
    data: Folder | None = None,
    methods: Names = (),
    datasets: Names = (),
    attributes: Names = (),
    seeds: int | Sequence[int] = (),
    parameters: Mapping[str, Any] | None = None,
    results: Folder = "results",
    plugins: Folders = (),
    jobs: int = 0,
    threads: int = 0,
    device: str = "auto",
    backend: Literal["local", "inline"] = "local",
    time_limit: str = "",
    memory_limit: str = "",
    retry: Names = (),
    verbose: bool = True,
) -> pd.DataFrame:
    """Compute the cells of a benchmark that have no valid result, and return the results of all its cells.

    Does what the command ``relattr run`` does: every cell runs in a process of its own, and a cell that fails is a row
    with the reason. Both use the same results folder, so either continues a run of the other that was stopped.

    Parameters
    ----------
    benchmark : str
        One of `list_benchmarks`, or the path of a ``.toml`` file.
    data : path
        For a benchmark of your own photographs, such as ``own``: the folder with the photographs and one CSV file, or
        that file; by default, the data of the most recent results.
    methods, datasets, attributes : str or sequence of str
        Shell patterns that select a part of the benchmark, as in ``relattr run``; by default all of it.
    seeds : int or sequence of int
        Seeds in place of the benchmark's.
    parameters : mapping
        Parameters to set: ``{"C": 1.0}`` for every method that has it, ``{"ranksvm-hog2x2.C": 1.0}`` for one.
    results : path
        The folder of results.
    plugins : path or sequence of paths
        Folders with further plugin files (.py).
    jobs : int
        Number of cells that run at the same time; 0 for as many as ``relattr run`` chooses.
    threads : int
        Number of processor threads of a cell; 0 for what the benchmark sets.
    device : str
        ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``auto`` uses a GPU if there is one.
    backend : {"local", "inline"}
        ``inline`` runs the cells in this process, without limits; methods that are defined in a notebook need it.
    time_limit, memory_limit : str
        Limits of a cell, such as ``"45m"`` and ``"6G"``.
    retry : str or sequence of str
        Statuses of failed cells that are computed again, such as ``"timeout"``.
    verbose : bool
        Whether to print a line for each cell that is computed.

    Returns a DataFrame with the columns of `results`. Raises `UnknownName` or `BadInput` for a selection that is not
    valid.

    Examples
    --------
    >>> import relattr
    >>> frame = relattr.run("quick", methods="chance", attributes="local", verbose=False)  # doctest: +SKIP
    >>> frame[["method", "attribute", "accuracy", "n_pairs"]]  # doctest: +SKIP
    """
    from relattr.execution.computation import ComputeSettings, compute_cells
    from relattr.execution.resources import check_device
    from relattr.harness.estimate import extend_time_limits, known_durations
    from relattr.harness.export import results_frame
    from relattr.harness.limits import Limits
    from relattr.harness.result import FAILURES, Result
    from relattr.harness.selection import Selection
    from relattr.harness.store import Store
    from relattr.harness.unreadable_data import require_readable

    if backend not in ("local", "inline"):
        raise UnknownName("backend", backend, ("local", "inline"))
    for status in given_names(retry):
        if status not in FAILURES:
            raise UnknownName("status of failed cells", status, FAILURES)
    check_device(device, option="device")
    registry, folders = loaded_registry(plugins), plugin_folders(plugins)
    limits = Limits(time=time_limit, memory=memory_limit)
    selection = Selection(
        methods=given_names(methods),
        datasets=given_names(datasets),
        settings=dict(parameters or {}),
        limits={"*": limits} if limits != Limits() else {},
        attributes=given_names(attributes),
        seeds=given_seeds(seeds),
    )
    store = Store(Path(results))
    plan = _require_plan(given_benchmark(benchmark, registry, store, data), registry, store, selection)
    durations = known_durations(plan.cells, store)
    plan = replace(plan, cells=extend_time_limits(plan.cells, durations))
    cells = plan.cells_to_run(given_names(retry))
    require_readable(cells, registry)
    if cells:
        if backend == "local":
            _require_known_in_processes(cells, registry)
        settings = ComputeSettings(backend, "", jobs, threads, device, folders)
        settings = settings.resolved(len(cells), plan.benchmark.threads)
        compute_cells(cells, registry, store, settings, _PrintedLines(len(cells), verbose=verbose), durations)
    stored = [store.read(planned.cell) for planned in plan.cells]
    return results_frame([result for result in stored if isinstance(result, Result)], registry, store)


def _require_plan(definition: Benchmark, registry: Registry, store: Store, selection: Selection) -> Plan:
    """The plan of a benchmark. Raises `BadInput` or `UnknownName` if no cell can be computed as asked."""
    from relattr.harness.own_data import require_files
    from relattr.harness.plan import make_plan

    plan = make_plan(definition, registry, store, selection)
    plan.require_registered(registry)
    plan.require_cells()
    require_files(plan.cells, registry)
    return plan


class _PrintedLines:
    """Prints one line for each cell of a run that is computed; messages are warnings."""

    def __init__(self, n_cells: int, *, verbose: bool) -> None:
        self._n_cells, self._verbose = n_cells, verbose
        self._n_done = 0

    def started(self, job: Job) -> None:
        """Nothing is printed."""

    def progressed(self, job: Job, description: str, done: int, total: int) -> None:
        """Nothing is printed."""

    def finished(self, planned: PlannedCell, result: Result) -> None:
        """A line with the accuracies, or the reason of the failure."""
        self._n_done += 1
        if self._verbose:
            sys.stdout.write(f"[{self._n_done}/{self._n_cells}] {planned.cell}: {_outcome(result)}\n")

    finished_elsewhere = finished

    def print(self, text: str) -> None:
        """A warning."""
        warnings.warn(text, stacklevel=2)


def _require_known_in_processes(cells: Sequence[PlannedCell], registry: Registry) -> None:
    """Raise `BadInput` for a method or dataset that is defined in this session."""
    plugins = [plugin for p in cells for plugin in (registry.method(p.cell.method), registry.dataset(p.cell.dataset))]
    in_session = sorted({plugin.name for plugin in plugins if plugin.module == "__main__"})
    if in_session:
        raise BadInput(
            f"{', '.join(in_session)}: defined in this session, so other processes do not know it; use "
            "backend='inline', or put it into a plugin file"
        )


def _outcome(result: Result) -> str:
    if result.status != "ok":
        return f"{result.status}: {result.reason.partition(chr(10))[0]}"
    return ", ".join(f"{test.test} {100 * test.accuracy:.2f} %" for test in result.tests)
