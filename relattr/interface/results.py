"""Stored results: `results` and `table` return DataFrames, `report_page` an HTML page. Nothing is computed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.interface.arguments import Folder, Names, given_benchmark, given_names, given_seeds
from relattr.interface.plugins import Folders, loaded_registry

if TYPE_CHECKING:
    import pandas as pd

    from relattr.harness.benchmark import Benchmark
    from relattr.harness.result_selection import ResultSelection
    from relattr.harness.stored_results import StoredResults
    from relattr.registry import Registry
    from relattr.report.tables.table import PaperTable

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
    definition = given_benchmark(benchmark, registry, store) if benchmark else None
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


def _shown(
    name: str, selection: ResultSelection, results: Folder, plugins: Folders
) -> tuple[Benchmark, Registry, StoredResults]:
    """The benchmark with the columns that are chosen, the plugins and the stored results.

    Raises `BadInput` if no result is chosen while there are others.
    """
    from relattr.report.tables.column_selection import select_columns
    from relattr.report.tables.no_results import require_results

    registry, store = loaded_registry(plugins), _existing_results(results)
    definition = select_columns(given_benchmark(name, registry, store), registry, store, selection)
    require_results(name, definition, registry, store, selection)
    return definition, registry, store


def _chosen_results(methods: Names, datasets: Names, attributes: Names, seeds: Any) -> ResultSelection:
    """The stored results that these arguments choose. Raises `BadInput` for seeds that are not valid."""
    from relattr.harness.result_selection import ResultSelection

    return ResultSelection(given_names(methods), given_names(datasets), given_names(attributes), given_seeds(seeds))


def _existing_results(path: Folder) -> StoredResults:
    from relattr.harness.release import open_results

    if not Path(path).exists():
        raise BadInput(f"the results folder {os.fspath(path)} does not exist")
    return open_results(Path(path))
