"""Which results are a benchmark's: those on the datasets of its table, whatever the parameters of their method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relattr import parameters
from relattr.harness.benchmark import Benchmark
from relattr.harness.cell import Cell
from relattr.registry import Registry


def cells_in_scope(benchmark: Benchmark, registry: Registry) -> Callable[[Cell], bool]:
    """Whether a cell is on a dataset of the benchmark's table, set up as the benchmark sets it up.

    Where the dataset's plugin is not here nobody knows how that is, and every cell on it belongs.
    """
    wanted = {column.dataset: _values(benchmark, registry, column.dataset) for column in benchmark.table.columns}
    return lambda cell: cell.dataset in wanted and wanted[cell.dataset] in (None, cell.dataset_parameters)


def _values(benchmark: Benchmark, registry: Registry, name: str) -> dict[str, Any] | None:
    if name not in registry.datasets:
        return None
    return parameters.values_of(registry.dataset(name).create(benchmark.dataset.get(name, {})))
