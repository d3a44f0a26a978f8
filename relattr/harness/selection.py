"""What a user selects on top of a benchmark file: methods, datasets, attributes, seeds, parameters and limits."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from relattr import parameters
from relattr.errors import MAYBE_PLUGIN, BadInput, UnknownName
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.harness.limits import Limits
from relattr.name_patterns import match_names
from relattr.registry import Registry
from relattr.task import TaskName


@dataclass(frozen=True)
class Selection:
    """What the user selects on top of the benchmark file; whatever is empty stays as in the file."""

    methods: Sequence[str] = ()
    """Shell patterns of method names."""
    datasets: Sequence[str] = ()
    """Shell patterns of dataset names."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Parameters: ``KEY`` for every selected method that has it, ``PLUGIN.KEY`` for one method or dataset."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Limits by shell pattern of method name; they take precedence over the benchmark's."""
    keep_stale: bool = False
    """Whether stale results are used as they are instead of computed again."""
    attributes: Sequence[str] = ()
    """Shell patterns of attribute names."""
    seeds: Sequence[int] = ()


def select_names(listed: Sequence[str], patterns: Sequence[str], registered: Mapping[str, Any], kind: str) -> list[str]:
    """Return the names that a benchmark lists and the user's patterns select, in the benchmark's order.

    A pattern that matches none of the listed names may select registered plugins that the benchmark does not list;
    this is how a new method joins any benchmark. A listed name may have no plugin that is loaded.

    Raises `UnknownName` for a pattern without a match.
    """
    names: list[str] = []
    for name in listed:
        if any(c in name for c in "*?["):
            names += [match for match in match_names(registered, [name], kind) if match not in names]
        elif name not in names:
            names.append(name)
    if not patterns:
        return names
    candidates = names + [name for name in registered if name not in names]
    of_listed = [p for p in patterns if any(fnmatch.fnmatchcase(name, p) for name in names)]
    of_others = [p for p in patterns if p not in of_listed]
    selected = {*match_names(names, of_listed, kind), *match_names(candidates, of_others, kind, MAYBE_PLUGIN)}
    return [name for name in candidates if name in selected]


def parameter_overrides(
    benchmark: Benchmark, registry: Registry, selection: Selection, methods: Sequence[str], datasets: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the parameters to set on each selected plugin, by ``("method" or "dataset", name)``.

    ``KEY`` applies to every selected method that has it, ``METHOD.KEY`` and ``DATASET.KEY`` to one plugin. The user's
    settings take precedence over the benchmark file.

    Raises `UnknownName` for a plugin or parameter that does not exist, `BadInput` for an invalid value.
    """
    plugins: dict[tuple[str, str], Any] = {("dataset", name): registry.dataset(name) for name in datasets}
    plugins |= {("method", name): registry.method(name) for name in methods}
    overrides: dict[tuple[str, str], dict[str, Any]] = {plugin: {} for plugin in plugins}
    for name in datasets:
        overrides["dataset", name].update(benchmark.dataset.get(name, {}))
    for settings, from_user in ((benchmark.set, False), (selection.settings, True)):
        for setting, value in settings.items():
            owner, _, parameter = setting.rpartition(".")
            if owner:
                owners = [plugin for plugin in plugins if plugin[1] == owner]
                if not owners and from_user:
                    raise UnknownName("selected method or dataset", owner, [name for _, name in plugins])
            else:
                owners = [("method", name) for name in methods]
            # a method and a dataset may share a name: the setting is for those that have the parameter
            targets = [plugin for plugin in owners if parameter in plugins[plugin].types]
            if not targets and (owners if owner else from_user):
                kind = f"parameter of {owner}" if owner else "parameter of the selected methods"
                raise UnknownName(kind, parameter, {name for plugin in owners for name in plugins[plugin].types})
            for plugin in targets:
                overrides[plugin][parameter] = value
    for plugin, values in overrides.items():
        plugins[plugin].create(values)  # an invalid value is an error of the command, not of a cell
    return overrides


def parameter_variants(
    benchmark: Benchmark, registry: Registry, selection: Selection, method: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the parameters to set on a method: ``values``, those of `parameter_overrides`, and its variants.

    The user's settings take precedence over the variants; variants that are then equal are one. Raises `BadInput` for
    an invalid value.
    """
    user = {key.removeprefix(f"{method}.") for key in selection.settings}
    plugin = registry.method(method)
    variants: list[dict[str, Any]] = [dict(values)]
    created = [parameters.values_of(plugin.create(values))]
    for variant in benchmark.variants.get(method, ()):
        changed = {**values, **{key: value for key, value in variant.items() if key not in user}}
        if (of_variant := parameters.values_of(plugin.create(changed))) not in created:
            variants.append(changed)
            created.append(of_variant)
    return variants


def benchmark_of_datasets(
    benchmark: Benchmark,
    registry: Registry,
    datasets: Mapping[str, dict[str, Any]],
    tasks: Mapping[str, Sequence[TaskName]],
) -> Benchmark:
    """Return the benchmark with the selected datasets, their parameters, and a table with their columns.

    Each attribute of a selected dataset that has no column in the table gets one; in that case the columns of
    datasets that are not selected are dropped.
    """
    changed = {}
    for name, overrides in datasets.items():
        in_file, selected = (
            parameters.values_of(registry.dataset(name).create(values))
            for values in (benchmark.dataset.get(name, {}), overrides)
        )
        if in_file != selected:
            changed[name] = selected
    benchmark = msgspec.structs.replace(benchmark, dataset={**benchmark.dataset, **changed})
    with_column = {column.dataset for column in benchmark.table.columns}
    without_column = [name for name in datasets if name not in with_column]
    if not without_column:
        return benchmark
    columns = [column for column in benchmark.table.columns if column.dataset in datasets]
    for name in without_column:
        label = registry.dataset(name).label
        columns += [
            ColumnSpec(label=f"{label}: {attribute}", dataset=name, attribute=attribute)
            for attribute in dict.fromkeys(task.attribute for task in tasks.get(name, ()))
        ]
    caption = f"Accuracy on {', '.join(registry.dataset(name).label for name in datasets)}."
    table = msgspec.structs.replace(benchmark.table, columns=tuple(columns), caption=caption)
    return msgspec.structs.replace(benchmark, table=table)


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` options of the command line. Raises `BadInput` for one without ``=``."""
    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"--set {setting!r} should be KEY=VALUE, for example backbone=efficientnet_lite2")
        parsed[key.strip()] = parameters.UnparsedValue(value.strip())
    return parsed
