"""Benchmarks of a user's own data: where the data is, and the columns that its attributes make.

A dataset of own data has one parameter that says where the data is (`Dataset.location_parameters`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from relattr.errors import BadInput
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.cell import Cell
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import most_recent
from relattr.harness.result import Result
from relattr.harness.staleness import missing_data
from relattr.harness.store import Unreadable
from relattr.registry import Registry
from relattr.system.paths import expand_data

BENCHMARK = "own"
"""The benchmark of own photographs, whose dataset and parameters of methods commands without a benchmark use."""


def location_parameter(registry: Registry, dataset: str) -> str:
    """Return the parameter that says where the data of a dataset is; empty if it has none, or several."""
    if dataset not in registry.datasets:
        return ""
    names = registry.datasets[dataset].cls.location_parameters
    return names[0] if len(names) == 1 else ""


def is_own(cell: Cell) -> bool:
    """Return whether a cell is on own data, for which nobody has published numbers."""
    return bool(cell.data) and len(cell.location) == 1


def own_benchmark(
    benchmark: Benchmark, registry: Registry, results: Iterable[Result | Unreadable], data: Path | None = None
) -> Benchmark:
    """Return a benchmark with its data at this path, or else where its most recent results were computed.

    A benchmark without columns gets one for each attribute. Raises `BadInput` as `with_data`.
    """
    if data is not None:
        benchmark = with_data(benchmark, registry, data)
    else:
        benchmark = with_latest_data(benchmark, registry, results)
    return with_columns(benchmark, registry, results)


def with_data(benchmark: Benchmark, registry: Registry, data: Path) -> Benchmark:
    """Return a benchmark whose dataset of own data is at this path.

    Raises `BadInput` if the path does not exist, or the benchmark has no dataset of own data.
    """
    names = [name for name in benchmark.datasets if location_parameter(registry, name)]
    if not names:
        raise BadInput(
            f"--data is for benchmarks of your own photographs, such as own; {benchmark.name} has the datasets "
            f"{', '.join(benchmark.datasets)}. To run its methods on your photographs: relattr run "
            f"{benchmark.name} --datasets folder --set folder.path={data}"
        )
    if not data.exists():
        raise BadInput(f"--data {data} does not exist; expected a folder of photographs with a .csv file, or that file")
    return _located(benchmark, {name: {location_parameter(registry, name): str(data)} for name in names})


def with_latest_data(benchmark: Benchmark, registry: Registry, results: Iterable[Result | Unreadable]) -> Benchmark:
    """Return a benchmark with the data of its most recent results; unchanged if it says where its data is."""
    unset = unlocated_datasets(benchmark, registry)
    located = (
        item
        for item in (results if unset else ())
        if isinstance(item, Result) and item.cell.dataset in unset and item.cell.location
    )
    latest = most_recent(located)
    if latest is None:
        return benchmark
    return _located(benchmark, {latest.cell.dataset: latest.cell.all_dataset_parameters})


def unlocated_datasets(benchmark: Benchmark, registry: Registry) -> list[str]:
    """Return the datasets of own data of which a benchmark does not say where the data is."""
    return [
        name
        for name in benchmark.datasets
        if (parameter := location_parameter(registry, name)) and not benchmark.dataset.get(name, {}).get(parameter)
    ]


def require_data(benchmark: Benchmark, registry: Registry) -> None:
    """Raise `BadInput` if a benchmark of own data has neither data nor results."""
    if unlocated_datasets(benchmark, registry) and not benchmark.table.columns:
        raise BadInput(
            f"benchmark {benchmark.name} is of your own photographs, and there are no results on any: add --data PATH, "
            "a folder with photographs and one .csv file that compares or scores them, to relattr run, or data=PATH in "
            "Python (docs/folder.md)"
        )


def paths_of_data(benchmark: Benchmark, registry: Registry) -> list[Path]:
    """Return where the own data of a benchmark is, as far as it says so."""
    values = (
        benchmark.dataset.get(name, {}).get(parameter)
        for name in benchmark.datasets
        if (parameter := location_parameter(registry, name))
    )
    return _paths(values)


def locations_of_data(results: Iterable[Result]) -> list[Path]:
    """Return where the own data of results was when they were computed."""
    return _paths(value for result in results for value in result.cell.location.values())


def _paths(values: Iterable[Any]) -> list[Path]:
    return [Path(expand_data(value)) for value in dict.fromkeys(values) if isinstance(value, str) and value]


def require_files(cells: Sequence[PlannedCell], registry: Registry) -> None:
    """Raise `BadInput` if all cells are on own data that is not available, such as a photograph that does not exist."""
    if not all(is_own(planned.cell) and planned.state == "blocked" for planned in cells):
        return
    by_data = {(planned.cell.dataset, planned.cell.data): planned.cell for planned in cells}
    reasons = [
        missing_data(registry.dataset(cell.dataset), cell.all_dataset_parameters, pixels=True)
        for cell in by_data.values()
    ]
    if reasons and all(reasons):
        raise BadInput("; ".join(filter(None, reasons)))


def with_columns(benchmark: Benchmark, registry: Registry, results: Iterable[Result | Unreadable]) -> Benchmark:
    """Return a benchmark without columns with one for each attribute of its datasets.

    The results say which attributes a dataset has whose data is not available.
    """
    if benchmark.table.columns:
        return benchmark
    attributes: dict[str, list[str]] = {}
    for name in benchmark.datasets:
        if name in registry.datasets:
            dataset = registry.dataset(name).create(benchmark.dataset.get(name, {}))
            attributes[name] = list(dataset.attributes())
    unknown = {name for name in benchmark.datasets if not attributes.get(name)}
    for item in results if unknown else ():
        if isinstance(item, Result) and item.cell.dataset in unknown:
            of_dataset = attributes.setdefault(item.cell.dataset, [])
            of_dataset += [item.cell.attribute] if item.cell.attribute not in of_dataset else []
    columns = _columns(attributes)
    return msgspec.structs.replace(benchmark, table=msgspec.structs.replace(benchmark.table, columns=columns))


def _columns(attributes: Mapping[str, Sequence[str]]) -> tuple[ColumnSpec, ...]:
    """A column for each attribute; those of several datasets are told apart by the dataset's name."""
    several = len(attributes) > 1
    return tuple(
        ColumnSpec(label=f"{name}: {attribute}" if several else attribute, dataset=name, attribute=attribute)
        for name, of_dataset in attributes.items()
        for attribute in of_dataset
    )


def _located(benchmark: Benchmark, values: dict[str, dict[str, Any]]) -> Benchmark:
    dataset = {**benchmark.dataset}
    for name, of_dataset in values.items():
        dataset[name] = {**dataset.get(name, {}), **of_dataset}
    return msgspec.structs.replace(benchmark, dataset=dataset)
