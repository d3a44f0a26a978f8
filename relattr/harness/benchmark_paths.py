"""Relative paths in a benchmark file, which are relative to the folder of the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from relattr.harness.benchmark import Benchmark, load_benchmark
from relattr.registry import Registry
from relattr.system.paths import DATA_PREFIX


def read_benchmark(name: str, registry: Registry) -> Benchmark:
    """Return a benchmark as `load_benchmark`, with paths that do not depend on the working folder."""
    return with_resolved_paths(load_benchmark(name), registry)


def with_resolved_paths(benchmark: Benchmark, registry: Registry) -> Benchmark:
    """Return a benchmark in which paths do not depend on the working folder.

    Paths are the parameters in ``location_parameters`` of a dataset and in ``file_parameters`` of a method. Benchmarks
    that are part of relattr contain none but those that begin with ``$RELATTR_DATA``.
    """
    if not benchmark.folder:
        return benchmark
    folder = Path(benchmark.folder)
    datasets = {
        name: _resolved(values, folder, _path_parameters(registry, name)) for name, values in benchmark.dataset.items()
    }
    variants = {
        name: tuple(_resolved(variant, folder, _path_parameters(registry, name)) for variant in of_method)
        for name, of_method in benchmark.variants.items()
    }
    of_methods = {p for plugin in registry.methods.values() for p in plugin.cls.file_parameters}
    settings = {}
    for setting, value in benchmark.set.items():
        owner, _, parameter = setting.rpartition(".")
        is_path = parameter in (_path_parameters(registry, owner) if owner else of_methods)
        settings[setting] = _resolve(value, folder) if is_path else value
    return msgspec.structs.replace(benchmark, dataset=datasets, set=settings, variants=variants)


def _path_parameters(registry: Registry, name: str) -> set[str]:
    """The parameters of the dataset and the method of this name that are paths."""
    parameters: set[str] = set()
    if name in registry.datasets:
        parameters.update(registry.datasets[name].cls.location_parameters)
    if name in registry.methods:
        parameters.update(registry.methods[name].cls.file_parameters)
    return parameters


def _resolved(values: Mapping[str, Any], folder: Path, names: Collection[str]) -> dict[str, Any]:
    return {name: _resolve(value, folder) if name in names else value for name, value in values.items()}


def _resolve(value: Any, folder: Path) -> Any:
    """A path, or the paths in a list, relative to the folder; absolute ones, ``~`` and ``$RELATTR_DATA`` stay."""
    if isinstance(value, (list, tuple)):
        return [_resolve(item, folder) for item in value]
    if not isinstance(value, str) or not value or value.startswith(("~", DATA_PREFIX)):
        return value
    return str(folder / value)
