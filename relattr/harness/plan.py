"""The cells of a benchmark, and which of them a run computes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import BadInput, UnknownName
from relattr.harness.benchmark import Benchmark
from relattr.harness.cell import Cell
from relattr.harness.data_identity import identify_data
from relattr.harness.file_identity import content_digests, with_absolute_paths
from relattr.harness.limits import Limits, limits_of_method
from relattr.harness.result import Result
from relattr.harness.selection import (
    Selection,
    benchmark_of_datasets,
    parameter_overrides,
    parameter_variants,
    select_names,
)
from relattr.harness.staleness import State, look_up_cell
from relattr.harness.stored_results import StoredResults
from relattr.harness.validation import validate_benchmark
from relattr.name_patterns import match_names
from relattr.registry import Registry
from relattr.task import TaskName

NO_LIMITS = Limits()


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a plan: its state in the store, the reason for it, and the limits it runs under."""

    cell: Cell
    state: State
    reason: str
    fingerprints: Mapping[str, str]
    """What decides the cell's result now; empty where it cannot be determined."""
    result: Result | None = None
    """The stored result, valid or stale."""
    limits: Limits = NO_LIMITS
    keep_stale: bool = False
    """Whether the stored result is stale and used all the same (``--keep-stale``)."""

    @property
    def must_run(self) -> bool:
        """Whether a run computes this cell."""
        return self.state not in ("done", "failed", "skipped", "inaccessible") and not self.keep_stale


@dataclass(frozen=True)
class Plan:
    """The cells of a benchmark under a selection."""

    benchmark: Benchmark
    """The benchmark with the selected datasets and the table columns they need."""
    cells: Sequence[PlannedCell]
    unregistered: Sequence[str] = ()
    """The methods and datasets that the benchmark lists and no plugin provides."""
    without_tasks: Mapping[str, str] = field(default_factory=dict)
    """The datasets for which no task is available here, and why."""

    def require_registered(self, registry: Registry) -> None:
        """Raise `UnknownName`, with similar names, for a listed method or dataset that is not registered.

        It is not misspelt for certain if a plugin could not be imported, which costs its own cells and not the others.
        """
        if registry.broken:
            return
        for name in self.unregistered:
            is_method = name in self.benchmark.methods and name not in registry.methods
            kind = "method" if is_method else "dataset"
            known = [*registry.methods, *registry.constants] if is_method else registry.datasets
            raise UnknownName(f"{kind} (in benchmark {self.benchmark.name}; --plugins DIR loads others)", name, known)

    def require_cells(self) -> None:
        """Raise `BadInput` with the reason if there is no cell."""
        if self.cells:
            return
        reasons = "; ".join(self.without_tasks.values())
        if reasons and set(self.benchmark.datasets) <= set(self.without_tasks):
            raise BadInput(reasons)
        raise BadInput(
            f"{self.benchmark.name} has no cell to run with this selection of methods, datasets and attributes"
            f"{f'; {reasons}' if reasons else ''}"
        )

    def cells_to_run(self, retry: Sequence[str] = ()) -> list[PlannedCell]:
        """Return the cells that a run computes: those without a valid result, and those with a failure in ``retry``."""
        return [
            planned
            for planned in self.cells
            if planned.must_run
            or (planned.state == "failed" and planned.result is not None and planned.result.status in retry)
        ]


def make_plan(
    benchmark: Benchmark, registry: Registry, store: StoredResults, selection: Selection | None = None
) -> Plan:
    """List the cells of a benchmark and look each one up in the store.

    Raises `UnknownName` for a method, dataset, attribute or parameter that does not exist, `BadInput` for an invalid
    parameter value.
    """
    selection = selection or Selection()
    validate_benchmark(benchmark, registry)
    listed_methods = select_names(benchmark.methods, selection.methods, registry.methods, "method")
    listed_datasets = select_names(benchmark.datasets, selection.datasets, registry.datasets, "dataset")
    methods = [name for name in listed_methods if name in registry.methods]
    datasets = [name for name in listed_datasets if name in registry.datasets]
    rows = {*methods, *registry.constants}  # a constant row has no cell to run
    unregistered = [name for name in listed_methods if name not in rows]
    unregistered += [name for name in listed_datasets if name not in datasets]
    overrides = parameter_overrides(benchmark, registry, selection, methods, datasets)
    _require_limits_of_methods(selection.limits, methods)
    limits = {
        name: limits_of_method(name, selection.limits, benchmark.method_limits, {"*": benchmark.limits})
        for name in methods
    }
    variants = [
        (name, _variant(registry, name, values))
        for name in methods
        for values in parameter_variants(benchmark, registry, selection, name, overrides["method", name])
    ]
    instances = {name: registry.dataset(name).create(overrides["dataset", name]) for name in datasets}
    tasks, without_tasks = _list_tasks(instances)
    all_attributes = dict.fromkeys(task.attribute for names in tasks.values() for task in names)
    attributes = set(match_names(all_attributes, selection.attributes or ["*"], "attribute") if all_attributes else ())
    cells = []
    seeds = selection.seeds or benchmark.seeds
    for dataset_name, names in tasks.items():
        data = identify_data(instances[dataset_name])
        selected_tasks = [task for task in names if task.attribute in attributes]
        for task, (method, variant), seed in itertools.product(selected_tasks, variants, seeds):
            cell = Cell(
                method=method,
                method_parameters=variant.parameters,
                dataset=dataset_name,
                dataset_parameters=data.dataset_parameters,
                attribute=task.attribute,
                split=task.split,
                seed=seed,
                data=data.data,
                location=data.location,
                files=variant.files,
            )
            cells.append(_plan_cell(cell, registry, store, limits[method], selection.keep_stale))
    selected = {name: overrides["dataset", name] for name in datasets}
    return Plan(benchmark_of_datasets(benchmark, registry, selected, tasks), cells, unregistered, without_tasks)


def _require_limits_of_methods(limits: Mapping[str, Limits], methods: Sequence[str]) -> None:
    """Raise `BadInput`, with the options, for limits of methods that are not selected."""
    for pattern in limits:
        if pattern != "*":
            try:
                match_names(methods, [pattern], "selected method")
            except UnknownName as error:
                quantities = [q for q in ("time", "memory", "file") if getattr(limits[pattern], q)]
                raise BadInput(f"{' and '.join(f'--{q}-limit' for q in quantities)}: {error}") from None


@dataclass(frozen=True)
class _Variant:
    """A method's parameters, with absolute paths, and the digests of the files that they name."""

    parameters: dict[str, Any]
    files: dict[str, str]


def _variant(registry: Registry, method: str, values: Mapping[str, Any]) -> _Variant:
    plugin = registry.method(method)
    all_values = with_absolute_paths(plugin.cls, parameters.values_of(plugin.create(values)))
    return _Variant(all_values, content_digests(plugin.cls, all_values))


def _list_tasks(datasets: Mapping[str, Dataset]) -> tuple[dict[str, list[TaskName]], dict[str, str]]:
    """Return the tasks of each dataset, and why a dataset has none."""
    tasks: dict[str, list[TaskName]] = {}
    reasons: dict[str, str] = {}
    for name, dataset in datasets.items():
        try:
            tasks[name] = list(dict.fromkeys(dataset.tasks()))
            if not tasks[name]:  # the attributes are listed in the dataset's files, which are not available
                reasons[name] = dataset.missing() or f"the dataset {name} has no task"
        except Exception as error:  # a broken plugin costs its own cells, not the others'
            reasons[name] = f"listing its tasks failed: {type(error).__name__}: {error}"
    return tasks, reasons


def _plan_cell(cell: Cell, registry: Registry, store: StoredResults, limits: Limits, keep_stale: bool) -> PlannedCell:
    current = look_up_cell(cell, registry, store)
    has_number = current.result is not None and current.result.status == "ok"
    return PlannedCell(
        cell,
        current.state,
        current.reason,
        current.fingerprints,
        current.result,
        limits,
        keep_stale=keep_stale and current.state == "stale" and has_number,
    )
