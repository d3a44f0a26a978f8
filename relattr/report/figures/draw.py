"""Which figures of a benchmark are drawn: those of every stored result that has boxes, neighbours or chains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr import parameters
from relattr.errors import RelattrError
from relattr.harness.fingerprints import data_difference
from relattr.harness.plan import make_plan
from relattr.harness.result import Result
from relattr.harness.result_selection import ResultSelection, of_loaded_plugins
from relattr.harness.scope import benchmark_scope
from relattr.harness.stored_results import StoredResults
from relattr.report.figures.cell_figures import CellFigures, DrawnFigure, FigureOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relattr.harness.benchmark import Benchmark
    from relattr.harness.cell import Cell
    from relattr.harness.selection import Selection
    from relattr.registry import Registry
    from relattr.task import Task

CellCoordinates = tuple[str, str, str, str, str, int]
"""A cell without the parameters of its method."""


def draw_figures(
    benchmark: Benchmark,
    registry: Registry,
    store: StoredResults,
    selection: Selection,
    out: Path,
    options: FigureOptions | None = None,
) -> Iterator[DrawnFigure]:
    """Draw Figure 4 of each cell with transformers, Figure 5 of each network, and the chains of each cell with chains.

    The figures are drawn from stored arrays and the images of the dataset; nothing is trained. As in the tables,
    results of any method on the benchmark's datasets are drawn, with any parameters, unless the selection says which.
    A figure that cannot be drawn is reported with the reason.
    """
    tasks: dict[tuple[str, str, str], tuple[str, Task]] = {}
    plan = make_plan(benchmark, registry, store, of_loaded_plugins(selection, registry))
    default_parameters: dict[CellCoordinates, dict[str, Any]] = {}
    for planned in plan.cells:  # a method as the benchmark sets it comes before its variants
        default_parameters.setdefault(_coordinates(planned.cell), planned.cell.stated_parameters)
    planned_keys = {p.cell.key for p in plan.cells}
    chosen = ResultSelection(selection.methods, selection.datasets, selection.attributes, selection.seeds)
    stored = [item for item in store if isinstance(item, Result)]
    chosen.require_matches(
        stored,
        also={
            "method": registry.methods,
            "dataset": registry.datasets,
            "attribute": {p.cell.attribute for p in plan.cells},
            "seed": {p.cell.seed for p in plan.cells},
        },
    )
    for result in benchmark_scope(plan.benchmark, registry).select(stored):
        cell = result.cell
        if result.status != "ok" or not chosen.includes(cell):
            continue
        if selection.settings and cell.key not in planned_keys:
            continue
        subject = f"{cell.method} on {cell.task}"
        try:
            arrays = store.arrays(result)
            if not (arrays.boxes or any(name.startswith(("neighbours", "chain")) for name in arrays.artifacts)):
                continue
            key = cell.dataset, repr(sorted(cell.dataset_parameters.items())) + cell.data, str(cell.task)
            if key not in tasks:
                dataset = registry.dataset(cell.dataset).create(cell.all_dataset_parameters)
                tasks.clear()  # one task at a time: it may have many images
                tasks[key] = dataset.fingerprint(), dataset.task(cell.task)
            fingerprint, task = tasks[key]
            if difference := data_difference(result.fingerprints, fingerprint):
                yield DrawnFigure(subject, error=f"{cell.dataset} {difference}; run the cell again")
                continue
            figures = CellFigures(result, arrays, task, out, _changes(cell, default_parameters, registry))
            yield from figures.draw(options or FigureOptions())
        except (RelattrError, OSError) as error:
            yield DrawnFigure(subject, error=str(error))
        except Exception as error:  # arrays of a plugin may have any shape and type; the other figures are still drawn
            yield DrawnFigure(subject, error=f"{type(error).__name__}: {error}")


def _changes(
    cell: Cell, default_parameters: Mapping[CellCoordinates, Mapping[str, Any]], registry: Registry
) -> list[str]:
    """The parameters of a cell's method that differ from the benchmark's, as ``name=value``."""
    default = default_parameters.get(_coordinates(cell))
    if default is None and cell.method in registry.methods:  # the benchmark does not list the method
        default = parameters.values_of(registry.method(cell.method).create())
    if default is None:  # its plugin is not loaded
        return [cell.key[:8]]
    return parameters.changed_parameters(cell.stated_parameters, default)


def _coordinates(cell: Cell) -> CellCoordinates:
    data = repr(sorted(cell.dataset_parameters.items())) + cell.data
    return cell.method, cell.dataset, data, cell.attribute, cell.split, cell.seed
