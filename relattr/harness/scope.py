"""Which results belong to a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relattr import parameters
from relattr.harness.benchmark import Benchmark
from relattr.harness.cell import Cell
from relattr.registry import Registry


def benchmark_scope(benchmark: Benchmark, registry: Registry) -> Callable[[Cell], bool]:
    """Return a predicate: whether a cell is on a dataset of the benchmark's table, with the benchmark's parameters.

    The parameters of the method do not matter. If the plugin of a dataset is not registered, its parameters are
    unknown, and every cell on it belongs to the benchmark.
    """
    datasets = {column.dataset: _parameters(benchmark, registry, column.dataset) for column in benchmark.table.columns}
    return lambda cell: cell.dataset in datasets and datasets[cell.dataset] in (None, cell.dataset_parameters)


def _parameters(benchmark: Benchmark, registry: Registry, dataset: str) -> dict[str, Any] | None:
    if dataset not in registry.datasets:
        return None
    return parameters.values_of(registry.dataset(dataset).create(benchmark.dataset.get(dataset, {})))
