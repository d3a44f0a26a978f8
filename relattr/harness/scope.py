"""Which results belong to a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from relattr.harness.benchmark import Benchmark
from relattr.harness.cell import Cell
from relattr.harness.data_identity import DataIdentity, identify_data
from relattr.harness.provenance import most_recent
from relattr.harness.result import Result
from relattr.registry import Registry


class BenchmarkScope:
    """The cells on the datasets of a benchmark's table, with the benchmark's parameters; see `benchmark_scope`."""

    def __init__(self, datasets: Mapping[str, DataIdentity | None]) -> None:
        self._datasets = datasets

    def __call__(self, cell: Cell) -> bool:
        """Whether a cell belongs to the benchmark."""
        if cell.dataset not in self._datasets:
            return False
        data = self._datasets[cell.dataset]
        if data is None:
            return True
        same_data = cell.data == data.data if data.available else cell.location == data.location
        return cell.dataset_parameters == data.dataset_parameters and same_data

    def select(self, results: Iterable[Result]) -> list[Result]:
        """The results that belong to the benchmark, with the location where their data is now.

        If the data of a dataset is not available, results on different data may have been computed at its location:
        then those on the data of the most recent one are selected.
        """
        selected = [result for result in results if self(result.cell)]
        by_dataset: dict[str, list[Result]] = {}
        for result in selected:
            by_dataset.setdefault(result.cell.dataset, []).append(result)
        latest = {dataset: most_recent(results) for dataset, results in by_dataset.items()}
        return [self._located(r) for r in selected if self._is_current(r.cell, latest[r.cell.dataset])]

    def _is_current(self, cell: Cell, latest: Result | None) -> bool:
        data = self._datasets[cell.dataset]
        return data is None or data.available or latest is None or cell.data == latest.cell.data

    def _located(self, result: Result) -> Result:
        data = self._datasets[result.cell.dataset]
        if data is None or data.location == result.cell.location:
            return result
        return msgspec.structs.replace(result, cell=msgspec.structs.replace(result.cell, location=data.location))


def benchmark_scope(benchmark: Benchmark, registry: Registry) -> BenchmarkScope:
    """Return the scope of a benchmark: a predicate on cells, and a selection of results.

    The parameters of the method do not matter. If the plugin of a dataset is not registered, its parameters are
    unknown, and every cell on it belongs to the benchmark.
    """
    names = dict.fromkeys(column.dataset for column in benchmark.table.columns)
    return BenchmarkScope({name: _identify(benchmark, registry, name) for name in names})


def _identify(benchmark: Benchmark, registry: Registry, dataset: str) -> DataIdentity | None:
    if dataset not in registry.datasets:
        return None
    return identify_data(registry.dataset(dataset).create(benchmark.dataset.get(dataset, {})))
