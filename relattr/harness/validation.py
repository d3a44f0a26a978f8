"""Validation of a benchmark file: names of plugins, parameters, attributes and splits that do not exist are errors."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from relattr.dataset import Dataset
from relattr.errors import BadInput, UnknownName
from relattr.harness.benchmark import Benchmark, ColumnSpec
from relattr.name_patterns import match_names
from relattr.registry import Registry


def validate_benchmark(benchmark: Benchmark, registry: Registry) -> None:
    """Raise `UnknownName`, with similar names, for a plugin, parameter, attribute or split that does not exist.

    The methods and datasets that a benchmark lists need not be registered, since there may be results of plugins that
    are not loaded; settings for those are not validated. Only computing cells needs all (`Plan.require_registered`).
    """
    methods = dict.fromkeys([*benchmark.methods, *registry.methods])
    datasets = dict.fromkeys([*benchmark.datasets, *registry.datasets])
    _validate_settings(benchmark, registry, methods, datasets)
    for name in benchmark.dataset:
        if name not in datasets:
            raise UnknownName(f"dataset ([dataset.{name}] of benchmark {benchmark.name})", name, datasets)
    _validate_variants(benchmark, registry)
    match_names(methods, benchmark.method_limits, f"method ([method_limits] of benchmark {benchmark.name})")
    for column in benchmark.table.columns:
        _validate_column(column, benchmark, registry, datasets)


def _validate_settings(
    benchmark: Benchmark, registry: Registry, methods: dict[str, None], datasets: dict[str, None]
) -> None:
    place = f"([set] of benchmark {benchmark.name})"
    all_registered = all(
        name in registry.methods or name in registry.constants or set(name) & set("*?[") for name in benchmark.methods
    )
    method_parameters = {parameter for plugin in registry.methods.values() for parameter in plugin.types}
    for setting, value in benchmark.set.items():
        if isinstance(value, Mapping):  # a name with a dot that is not quoted
            keys = ", ".join(f'"{setting}.{key}"' for key in value)
            raise BadInput(f"benchmark {benchmark.name}: [set] has a table {setting}; write its parameters as {keys}")
        owner, _, parameter = setting.rpartition(".")
        plugins = [registered[owner] for registered in (registry.methods, registry.datasets) if owner in registered]
        if owner and owner not in methods and owner not in datasets:
            raise UnknownName(f"method or dataset {place}", owner, [*methods, *datasets])
        if plugins and not any(parameter in plugin.types for plugin in plugins):
            known = {name for plugin in plugins for name in plugin.types}
            raise UnknownName(f"parameter of {owner} {place}", parameter, known)
        if not owner and all_registered and parameter not in method_parameters:
            raise UnknownName(f"parameter of a method {place}", parameter, method_parameters)


def _validate_variants(benchmark: Benchmark, registry: Registry) -> None:
    place = f"([variants] of benchmark {benchmark.name})"
    for name, variants in benchmark.variants.items():
        if name not in benchmark.methods:
            raise UnknownName(f"method of the benchmark {place}", name, benchmark.methods)
        known = registry.methods[name].types if name in registry.methods else {}
        for parameter in (key for variant in variants for key in variant):
            if known and parameter not in known:
                raise UnknownName(f"parameter of {name} {place}", parameter, known)


def _validate_column(column: ColumnSpec, benchmark: Benchmark, registry: Registry, datasets: dict[str, None]) -> None:
    place = f"(a column of benchmark {benchmark.name})"
    if column.dataset not in datasets:
        raise UnknownName(f"dataset {place}", column.dataset, datasets)
    if column.dataset not in registry.datasets:
        return
    for kind, name, known_names in (("attribute", column.attribute, _attributes), ("split", column.split, _splits)):
        if name == "*":
            continue
        known: Sequence[str] = ()
        with contextlib.suppress(Exception):  # an error of the plugin is reported by its cells
            known = known_names(registry.dataset(column.dataset).create(benchmark.dataset.get(column.dataset)))
        if known and name not in known:
            raise UnknownName(f"{kind} of {column.dataset} {place}", name, known)


def _attributes(dataset: Dataset) -> Sequence[str]:
    return dataset.attributes()


def _splits(dataset: Dataset) -> Sequence[str]:
    """The splits; none if files are missing, which may decide them."""
    return dataset.splits() if dataset.missing() is None else ()
