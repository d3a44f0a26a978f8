"""A benchmark held against what is there: a name that is nowhere is a slip of the pen, not something to pass over."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from relattr.errors import UnknownName
from relattr.harness.benchmark import Benchmark
from relattr.registry import Registry, matching


def validate_benchmark(benchmark: Benchmark, registry: Registry) -> None:
    """Raise `UnknownName`, with the nearest names, for a parameter, dataset, method or attribute that is nowhere.

    Methods and datasets that the benchmark lists may still be to come; what it says about them cannot be checked.
    """
    of = f"of benchmark {benchmark.name}"
    methods = dict.fromkeys([*benchmark.methods, *registry.methods])
    datasets = dict.fromkeys([*benchmark.datasets, *registry.datasets])
    parameters = {key for entry in registry.methods.values() for key in entry.types}
    to_come = any(
        name not in registry.methods and name not in registry.constants and not set(name) & set("*?[")
        for name in benchmark.methods
    )
    for key in benchmark.set:
        owner, _, own = key.rpartition(".")
        called = [table[owner] for table in (registry.methods, registry.datasets) if owner in table]
        if owner and owner not in methods and owner not in datasets:
            raise UnknownName(f"method or dataset ([set] {of})", owner, [*methods, *datasets])
        if called and not any(own in entry.types for entry in called):
            raise UnknownName(f"parameter of {owner} ([set] {of})", own, {k for entry in called for k in entry.types})
        if not owner and not to_come and own not in parameters:
            raise UnknownName(f"parameter of a method ([set] {of})", own, parameters)
    for name in benchmark.dataset:
        if name not in datasets:
            raise UnknownName(f"dataset ([dataset.{name}] {of})", name, datasets)
    matching(methods, benchmark.method_limits, f"method ([method_limits] {of})")
    for column in benchmark.table.columns:
        if column.dataset not in datasets:
            raise UnknownName(f"dataset (a column {of})", column.dataset, datasets)
        if column.attribute != "*" and column.dataset in registry.datasets:
            known: Sequence[str] = ()
            with contextlib.suppress(Exception):  # a plugin that fails here is its cells' matter, not the file's
                known = registry.dataset(column.dataset).create(benchmark.dataset.get(column.dataset)).attributes()
            if known and column.attribute not in known:
                raise UnknownName(f"attribute of {column.dataset} (a column {of})", column.attribute, known)
