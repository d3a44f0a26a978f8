"""Which cells a benchmark has, and which of them have to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec

from relattr import parameters
from relattr.errors import BadInput, RelattrError, UnknownName
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.cell import Cell, changed, missing, of_dataset, of_method
from relattr.harness.limits import Limits, for_method
from relattr.harness.result import FAILURES, Result
from relattr.harness.store import Store, Unreadable
from relattr.harness.validation import validate
from relattr.registry import Registry, matching
from relattr.task import TaskName

NO_LIMITS = Limits()
State = Literal["done", "missing", "stale", "unreadable", "failed", "blocked", "skipped"]


@dataclass(frozen=True)
class Selection:
    """What the user asked for on top of the benchmark file."""

    methods: Sequence[str] = ()
    datasets: Sequence[str] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Limits by pattern of method name; they win over the benchmark's."""
    keep_stale: bool = False
    attributes: Sequence[str] = ()
    """Patterns of attributes; all, where there are none."""
    seeds: Sequence[int] = ()
    """The benchmark's, where there are none."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell, whether it has to run, and why; ``result`` is what the store has of it."""

    cell: Cell
    state: State
    why: str
    fingerprints: Mapping[str, str]
    result: Result | None = None
    limits: Limits = NO_LIMITS
    kept: bool = False
    """Stale, and to be left so."""

    @property
    def runs(self) -> bool:
        """Whether a run would compute it."""
        return self.state not in ("done", "failed", "skipped") and not self.kept


@dataclass(frozen=True)
class Plan:
    """The cells of a benchmark, the rows and columns that have no code yet, and datasets without any task here."""

    benchmark: Benchmark
    cells: Sequence[PlannedCell]
    absent: Mapping[str, str]
    empty: Mapping[str, str] = field(default_factory=dict)
    """Why each of them has none."""


def make_plan(benchmark: Benchmark, registry: Registry, store: Store, choice: Selection = Selection()) -> Plan:
    """List the cells of a benchmark and look each one up in the store.

    Raises `UnknownName` for a method, dataset, attribute or parameter that is not there.
    """
    validate(benchmark, registry)
    absent: dict[str, str] = {}
    empty: dict[str, str] = {}
    chosen_methods = _choose(benchmark.methods, choice.methods, registry.methods, "method", absent)
    for name in set(absent) & set(registry.constants):  # nothing to run: its row is only ever shown
        del absent[name]
    chosen_datasets = _choose(benchmark.datasets, choice.datasets, registry.datasets, "dataset", absent)
    overrides = _overrides(benchmark, choice, registry, chosen_methods, chosen_datasets)
    matching(chosen_methods, (p for p in choice.limits if p != "*"), "chosen method (of a limit)")
    limits = {
        name: for_method(name, choice.limits, benchmark.method_limits, {"*": benchmark.limits})
        for name in chosen_methods
    }
    cells = []
    values = {n: parameters.values_of(registry.method(n).create(overrides["method", n])) for n in chosen_methods}
    datasets = {n: registry.dataset(n).create(overrides["dataset", n]) for n in chosen_datasets}
    tasks_of: dict[str, list[TaskName]] = {}
    for name, dataset in datasets.items():
        try:
            tasks_of[name] = list(dataset.tasks())
            if not tasks_of[name]:  # its files say which attributes it has, and they are not here
                empty[name] = dataset.missing() or f"the dataset {name} has no task"
        except Exception as error:  # a broken plugin costs its own cells, not the others'
            empty[name] = f"it cannot say what its tasks are: {type(error).__name__}: {error}"
    everything = dict.fromkeys(task.attribute for tasks in tasks_of.values() for task in tasks)
    attributes = set(matching(everything, choice.attributes or ["*"], "attribute") if everything else ())
    for dataset_name, tasks in tasks_of.items():
        dataset_values = parameters.values_of(datasets[dataset_name])
        for task in tasks:
            if task.attribute not in attributes:
                continue
            for method_name in chosen_methods:
                for seed in choice.seeds or benchmark.seeds:
                    cell = Cell(
                        method=method_name,
                        method_parameters=values[method_name],
                        dataset=dataset_name,
                        dataset_parameters=dataset_values,
                        attribute=task.attribute,
                        split=task.split,
                        seed=seed,
                    )
                    found = look_up(cell, registry, store)
                    kept = (
                        choice.keep_stale
                        and found.state == "stale"
                        and found.result is not None
                        and found.result.status == "ok"
                    )
                    cells.append(replace(found, limits=limits[method_name], kept=kept))
    chosen = {name: overrides["dataset", name] for name in chosen_datasets}
    return Plan(_shown(benchmark, chosen, tasks_of, registry), cells, absent, empty)


def waiting(plan: Plan, retry: Sequence[str] = ()) -> list[PlannedCell]:
    """The cells of a plan that a run computes: those without a valid result, and failures of these statuses."""
    found = []
    for planned in plan.cells:
        again = planned.state == "failed" and planned.result is not None and planned.result.status in retry
        if planned.runs or again:
            found.append(planned)
    return found


def look_up(cell: Cell, registry: Registry, store: Store) -> PlannedCell:
    """What the store has of a cell, and whether that still holds."""
    known = _known(registry, store)
    found = store.read(cell)
    why = known.absent(cell)
    if why is not None:
        return PlannedCell(cell, "blocked", why, {}, _readable(found))
    try:
        prints = known.fingerprints(cell)
    except Exception as error:  # a file that cannot be read, or a broken plugin, stops its cells, not the matrix
        why = str(error) if isinstance(error, RelattrError) else f"{type(error).__name__}: {error}"
        return PlannedCell(cell, "blocked", why, {}, _readable(found))
    if found is None:
        state: State = "missing"
        reason = "no result yet"
    elif isinstance(found, Unreadable):
        return PlannedCell(cell, "unreadable", f"{found.path} is not a result: {found.why}", prints)
    elif differences := changed(found.fingerprints, prints):
        state, reason = "stale", ", ".join(differences)
    elif found.status == "ok":
        return PlannedCell(cell, "done", "", prints, found)
    elif found.status in FAILURES:
        return PlannedCell(cell, "failed", f"{found.status}: {found.reason}", prints, found)
    elif found.status == "skipped":
        return PlannedCell(cell, "skipped", found.reason, prints, found)
    else:  # what was blocked may be there now
        state, reason = "blocked", found.reason
    needs = known.needs(cell)
    if needs is not None:
        state, reason = ("stale", f"{reason}; {needs}") if state == "stale" else ("blocked", needs)
    return PlannedCell(cell, state, reason, prints, _readable(found))


class _Known:
    """What is the same for many cells, looked up once: fingerprints and missing things by plugin and parameters."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._found: dict[tuple[str, str, str], Any] = {}

    def _once(self, what: str, name: str, values: Mapping[str, Any], look: Callable[[], Any]) -> Any:
        key = what, name, msgspec.json.encode(values, order="sorted").decode()
        if key not in self._found:
            self._found[key] = look()
        return self._found[key]

    def absent(self, cell: Cell) -> str | None:
        entry, values = self._registry.dataset(cell.dataset), cell.dataset_parameters
        pixels = self._registry.method(cell.method).cls.uses_pixels

        def look() -> str | None:
            try:
                return missing(entry, values, pixels=pixels)
            except Exception as error:  # a broken plugin, or a file that cannot be read, blocks its own cells only
                return str(error) if isinstance(error, RelattrError) else f"{type(error).__name__}: {error}"

        return self._once("absent" if pixels else "absent labels", cell.dataset, values, look)

    def fingerprints(self, cell: Cell) -> dict[str, str]:
        data, method = self._registry.dataset(cell.dataset), self._registry.method(cell.method)
        values, pixels = cell.dataset_parameters, method.cls.uses_pixels
        what = "data" if pixels else "labels"
        of_data = self._once(what, cell.dataset, values, lambda: of_dataset(data, values, pixels=pixels))
        of_code = self._once(
            "method", cell.method, cell.method_parameters, lambda: of_method(method, cell.method_parameters)
        )
        return {**of_data, **of_code}

    def needs(self, cell: Cell) -> str | None:
        entry, values = self._registry.method(cell.method), cell.method_parameters

        def look() -> str | None:
            return next((why for need in entry.create(values).needs() if (why := need.missing()) is not None), None)

        return self._once("needs", cell.method, values, look)


_known_by: WeakKeyDictionary[Store, tuple[Registry, _Known]] = WeakKeyDictionary()


def _known(registry: Registry, store: Store) -> _Known:
    """What is known for as long as this store is open; a new `Store` looks everything up again."""
    known = _known_by.get(store)
    if known is None or known[0] is not registry:
        known = _known_by[store] = registry, _Known(registry)
    return known[1]


def _readable(found: Result | Unreadable | None) -> Result | None:
    return found if isinstance(found, Result) else None


def _choose(
    named: Sequence[str], patterns: Sequence[str], known: Mapping[str, Any], kind: str, absent: dict[str, str]
) -> list[str]:
    """The registered names that a benchmark lists and the user's patterns leave, in the benchmark's order.

    A pattern may also name a plugin that the benchmark does not list: so a new method joins any matrix.
    """
    listed: list[str] = []
    for name in named:
        if any(c in name for c in "*?["):
            listed += [n for n in matching(known, [name], kind) if n not in listed]
        elif name not in listed:
            listed.append(name)
    if patterns:
        everything = listed + [n for n in known if n not in listed]
        inside = [p for p in patterns if any(_fits(n, p) for n in listed)]
        outside = [p for p in patterns if p not in inside]
        chosen = set(matching(listed, inside, kind)) | set(matching(everything, outside, kind))
        listed = [n for n in everything if n in chosen]
    for name in listed:
        if name not in known:
            absent[name] = f"no {kind} called {name} is there yet"
    return [name for name in listed if name in known]


def _fits(name: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern)


def _overrides(
    benchmark: Benchmark, choice: Selection, registry: Registry, methods: Sequence[str], datasets: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """The parameters to set on each chosen plugin, ``("method" or "dataset", its name)``.

    ``KEY`` goes to every chosen method that has it, ``METHOD.KEY`` and ``DATASET.KEY`` to one plugin; what the
    user sets wins over the benchmark file.
    """
    entries: dict[tuple[str, str], Any] = {("dataset", name): registry.dataset(name) for name in datasets}
    entries |= {("method", name): registry.method(name) for name in methods}
    found: dict[tuple[str, str], dict[str, Any]] = {plugin: {} for plugin in entries}
    for name in datasets:
        found["dataset", name].update(benchmark.dataset.get(name, {}))
    for given, asked in ((benchmark.set, False), (choice.set, True)):
        for key, value in given.items():
            owner, _, own = key.rpartition(".")
            if owner:
                called = [plugin for plugin in found if plugin[1] == owner]
                if not called and asked:
                    raise UnknownName("chosen method or dataset", owner, [name for _, name in found])
                # where a method and a dataset are called the same, those that have the parameter
                meant = [plugin for plugin in called if own in entries[plugin].types]
                if called and not meant:
                    known = {key for plugin in called for key in entries[plugin].types}
                    raise UnknownName(f"parameter of {owner}", own, known)
                for plugin in meant:
                    found[plugin][own] = value
                continue
            having = [n for n in methods if key in registry.method(n).types]
            if not having and asked:
                known = {k for n in methods for k in registry.method(n).types}
                raise UnknownName("parameter of the chosen methods", key, known)
            for name in having:
                found["method", name][key] = value
    for plugin, values in found.items():
        entries[plugin].create(values)  # a wrong value is an error of the command, not of a cell
    return found


def _shown(
    benchmark: Benchmark,
    datasets: Mapping[str, dict[str, Any]],
    tasks_of: Mapping[str, Sequence[TaskName]],
    registry: Registry,
) -> Benchmark:
    """The benchmark with its datasets as they were set up, by name, and a table that has what was chosen.

    Each attribute of a chosen dataset that is in no column of its own gets one; the columns of datasets not chosen go
    then.
    """
    own = {}
    for name, given in datasets.items():
        written, chosen = (
            parameters.values_of(registry.dataset(name).create(values))
            for values in (benchmark.dataset.get(name, {}), given)
        )
        if written != chosen:
            own[name] = chosen
    benchmark = msgspec.structs.replace(benchmark, dataset={**benchmark.dataset, **own})
    listed = {column.dataset for column in benchmark.table.columns}
    joined = [name for name in datasets if name not in listed]
    if not joined:
        return benchmark
    columns = [column for column in benchmark.table.columns if column.dataset in datasets]
    for name in joined:
        entry = registry.dataset(name)
        columns += [
            ColumnSpec(label=f"{entry.label}: {attribute}", dataset=name, attribute=attribute)
            for attribute in dict.fromkeys(task.attribute for task in tasks_of.get(name, ()))
        ]
    caption = f"Accuracy on {', '.join(registry.dataset(name).label for name in datasets)}."
    return msgspec.structs.replace(
        benchmark,
        table=msgspec.structs.replace(benchmark.table, columns=tuple(columns), caption=caption),
    )


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` of the command line. Raises `BadInput` for one without ``=``."""
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"--set {setting!r} should be KEY=VALUE, for example backbone=squeezenet1_0")
        found[key.strip()] = parameters.Typed(value.strip())
    return found
