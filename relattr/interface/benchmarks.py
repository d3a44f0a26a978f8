"""Benchmarks in Python: `run` computes their cells, `results` and `table` return stored ones as DataFrames."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relattr.bounds import MAX_SEED, is_integer
from relattr.errors import BadInput, UnknownName, shortened
from relattr.interface.plugins import Folders, loaded_registry, plugin_folders

if TYPE_CHECKING:
    import pandas as pd

    from relattr.execution.job import Job
    from relattr.harness.benchmark import Benchmark
    from relattr.harness.plan import PlannedCell
    from relattr.harness.result import Result
    from relattr.harness.result_selection import ResultSelection
    from relattr.harness.stored_results import StoredResults
    from relattr.registry import Registry
    from relattr.report.tables.table import PaperTable

Names = str | Sequence[str]
"""One shell pattern, or several."""
Folder = str | os.PathLike[str]

TABLE_COLUMNS = {
    "table": "name of the table: the benchmark, or one of its columns attribute by attribute",
    "row": "label of the method, with parameters that differ from the benchmark's",
    "key": "identifier of the row",
    "column": "label of the column",
    "measured": "mean accuracy over attributes, splits and seeds, per cent",
    "lower": "lower end of its 95 % interval, per cent",
    "upper": "upper end of the interval, per cent",
    "published": "published accuracy, per cent",
    "verdict": "whether the published number was reproduced",
    "best": "whether it is the best of its column, or not significantly worse",
    "n_pairs": "ordered test pairs",
    "n_images": "test images",
    "n_attributes": "attributes that were measured",
    "n_seeds": "seeds that were measured",
    "spearman": "mean rank correlation of strengths and scores",
    "spearman_lower": "lower end of its 95 % interval",
    "spearman_upper": "upper end of the interval",
    "seconds": "time to fit and compare, seconds",
    "status": "ok, published, not run, or the status of the cells that failed",
    "notes": "what readers must know about the number",
}
"""The columns of `table`, and what they mean."""


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
    from relattr.harness.own_data import require_files
    from relattr.harness.plan import make_plan
    from relattr.harness.result import FAILURES, Result
    from relattr.harness.selection import Selection
    from relattr.harness.store import Store
    from relattr.harness.unreadable_data import require_readable

    if backend not in ("local", "inline"):
        raise UnknownName("backend", backend, ("local", "inline"))
    for status in _names(retry):
        if status not in FAILURES:
            raise UnknownName("status of failed cells", status, FAILURES)
    check_device(device, option="device")
    chosen_seeds = _chosen_seeds(seeds)
    registry, folders = loaded_registry(plugins), plugin_folders(plugins)
    limits = Limits(time=time_limit, memory=memory_limit)
    selection = Selection(
        methods=_names(methods),
        datasets=_names(datasets),
        settings=dict(parameters or {}),
        limits={"*": limits} if limits != Limits() else {},
        attributes=_names(attributes),
        seeds=chosen_seeds,
    )
    store = Store(Path(results))
    definition = _read_benchmark(benchmark, registry, store, data)
    plan = make_plan(definition, registry, store, selection)
    plan.require_registered(registry)
    plan.require_cells()
    require_files(plan.cells, registry)
    durations = known_durations(plan.cells, store)
    plan = replace(plan, cells=extend_time_limits(plan.cells, durations))
    cells = plan.cells_to_run(_names(retry))
    require_readable(cells, registry)
    if cells:
        if backend == "local":
            _require_known_in_processes(cells, registry)
        settings = ComputeSettings(backend, "", jobs, threads, device, folders)
        settings = settings.resolved(len(cells), plan.benchmark.threads)
        compute_cells(cells, registry, store, settings, _PrintedLines(len(cells), verbose=verbose), durations)
    stored = [store.read(planned.cell) for planned in plan.cells]
    return results_frame([result for result in stored if isinstance(result, Result)], registry, store)


def results(
    folder: Folder = "results",
    *,
    benchmark: str = "",
    methods: Names = (),
    datasets: Names = (),
    attributes: Names = (),
    seeds: int | Sequence[int] = (),
    keep_stale: bool = False,
    plugins: Folders = (),
) -> pd.DataFrame:
    """The results in a folder or a released file as a tidy table: one row for each cell and test set.

    ``relattr export`` writes the same table.

    Parameters
    ----------
    folder : path
        The folder of results, or a file that ``relattr release`` has written.
    benchmark : str
        Only results on the datasets of this benchmark.
    methods, datasets, attributes : str or sequence of str
        Shell patterns that choose results; by default all.
    seeds : int or sequence of int
        Only results of these seeds.
    keep_stale : bool
        Whether to include results that depend on code, data or weights that have changed; the column ``state`` marks
        them.
    plugins : path or sequence of paths
        Folders with further plugin files (.py), on which the results depend.

    Returns a DataFrame with the columns `relattr.harness.export.RESULT_COLUMNS`, which docs/python.md explains. Raises
    `BadInput` if the folder does not exist or the file is not valid, `UnknownName` for a pattern or a seed without a
    result. Warns about files that cannot be read, and stale results that are left out.
    """
    from relattr.harness.export import export_results

    selection = _chosen_results(methods, datasets, attributes, seeds)
    registry, store = loaded_registry(plugins), _existing_results(folder)
    definition = _read_benchmark(benchmark, registry, store) if benchmark else None
    exported = export_results(registry, store, definition, selection=selection, keep_stale=keep_stale)
    for item in exported.unreadable:
        warnings.warn(f"left out, not a result: {item.path}: {item.reason}", stacklevel=2)
    if exported.n_stale and not keep_stale:
        warnings.warn(f"left out, stale: {exported.n_stale} cells; keep_stale=True includes them", stacklevel=2)
    return exported.frame


def table(
    benchmark: str,
    *,
    methods: Names = (),
    datasets: Names = (),
    attributes: Names = (),
    seeds: int | Sequence[int] = (),
    results: Folder = "results",
    plugins: Folders = (),
) -> pd.DataFrame:
    """The table of a benchmark from stored results: one row for each method and column, with intervals and verdicts.

    For each column that is a mean over several attributes, the numbers of the single attributes follow, with another
    value of ``table``. No cell is computed. ``methods``, ``datasets``, ``attributes`` (shell patterns) and ``seeds``
    choose what is shown, as in ``relattr tables``. ``results`` is the folder of results, or a file that ``relattr
    release`` has written.

    Returns a DataFrame with the columns `TABLE_COLUMNS`. Accuracies are in per cent. Raises `UnknownName` for a
    benchmark that does not exist or a pattern that matches nothing, `BadInput` if the folder does not exist, if the
    file is not valid, or if no result is chosen while there are others on the benchmark's datasets, for example on an
    earlier version of the data.
    """
    import pandas as pd

    from relattr.report.tables.builder import build_table

    selection = _chosen_results(methods, datasets, attributes, seeds)
    definition, registry, store = _shown(benchmark, selection, results, plugins)
    built = build_table(definition, registry, store, selection=selection)
    rows = [row for part in built.all_tables for row in _table_rows(part)]
    frame = pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
    correlations = [name for name in TABLE_COLUMNS if name.startswith("spearman")]
    numbers = ["measured", "lower", "upper", "published", *correlations, "seconds"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


@dataclass(frozen=True)
class ReportPage:
    """A report on a benchmark: one HTML page, which a notebook displays."""

    benchmark: str
    html: str = field(repr=False)
    """The page, which needs no other file and no network."""

    def save(self, file: Folder) -> None:
        """Write the page to a file."""
        from relattr.system.atomic import write_text

        write_text(Path(file), self.html)

    def _repr_html_(self) -> str:
        from html import escape

        style = "width:100%;height:720px;border:1px solid #ccc"
        return f'<iframe srcdoc="{escape(self.html)}" style="{style}" sandbox="allow-scripts"></iframe>'


def report_page(
    benchmark: str,
    *,
    methods: Names = (),
    datasets: Names = (),
    attributes: Names = (),
    seeds: int | Sequence[int] = (),
    results: Folder = "results",
    plugins: Folders = (),
    audit: bool = True,
) -> ReportPage:
    """The page that ``relattr report`` writes about a benchmark, from stored results: tables, charts and every cell.

    ``audit`` includes the audits of the datasets. The other arguments are those of `table`, which says what is raised.
    """
    from relattr.report.formats.page import benchmark_to_html

    selection = _chosen_results(methods, datasets, attributes, seeds)
    definition, registry, store = _shown(benchmark, selection, results, plugins)
    return ReportPage(benchmark, benchmark_to_html(definition, registry, store, audit=audit, selection=selection))


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


def _table_rows(built: PaperTable) -> Iterator[list[Any]]:
    for row in built.rows:
        for column, entry in zip(built.columns, row.entries, strict=True):
            yield [
                built.name,
                row.label,
                row.key,
                column.label,
                entry.measured,
                entry.lower,
                entry.upper,
                entry.published,
                entry.verdict,
                entry.best,
                entry.n_ordered,
                entry.n_images,
                entry.n_attributes,
                entry.n_seeds,
                entry.spearman,
                entry.spearman_lower,
                entry.spearman_upper,
                entry.seconds,
                entry.status,
                "; ".join((*row.notes, *entry.notes)),
            ]


def _read_benchmark(name: str, registry: Registry, store: StoredResults, data: Folder | None = None) -> Benchmark:
    """The benchmark of this name or file; own photographs are those at ``data``, or those of the latest results.

    Raises `BadInput` for a benchmark of own photographs without any.
    """
    from relattr.harness.benchmark_paths import read_benchmark
    from relattr.harness.own_data import own_benchmark, require_data

    definition = own_benchmark(read_benchmark(name, registry), registry, store, Path(data) if data else None)
    require_data(definition, registry)
    return definition


def _shown(
    name: str, selection: ResultSelection, results: Folder, plugins: Folders
) -> tuple[Benchmark, Registry, StoredResults]:
    """The benchmark with the columns that are chosen, the plugins and the stored results.

    Raises `BadInput` if no result is chosen while there are others.
    """
    from relattr.report.tables.column_selection import select_columns
    from relattr.report.tables.no_results import require_results

    registry, store = loaded_registry(plugins), _existing_results(results)
    definition = select_columns(_read_benchmark(name, registry, store), registry, selection, store)
    require_results(name, definition, registry, store, selection)
    return definition, registry, store


def _chosen_results(methods: Names, datasets: Names, attributes: Names, seeds: Any) -> ResultSelection:
    """The stored results that these arguments choose. Raises `BadInput` for seeds that are not valid."""
    from relattr.harness.result_selection import ResultSelection

    return ResultSelection(_names(methods), _names(datasets), _names(attributes), _chosen_seeds(seeds))


def _existing_results(path: Folder) -> StoredResults:
    from relattr.harness.release import open_results

    if not Path(path).exists():
        raise BadInput(f"the results folder {os.fspath(path)} does not exist")
    return open_results(Path(path))


def _chosen_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds, each once. Raises `BadInput` for anything but an integer or several."""
    try:
        given = list(seeds)
    except TypeError:  # one
        given = [seeds]
    if not all(is_integer(seed, 0, MAX_SEED) for seed in given):
        raise BadInput(f"seeds are {shortened(repr(given))}; expected integers from 0 to {MAX_SEED}")
    return tuple(dict.fromkeys(int(seed) for seed in given))


def _names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
