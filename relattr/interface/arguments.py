"""Arguments that the functions on benchmarks share: names, seeds, the benchmark itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.bounds import MAX_SEED, is_integer
from relattr.errors import BadInput, shortened

if TYPE_CHECKING:
    from relattr.harness.benchmark import Benchmark
    from relattr.harness.stored_results import StoredResults
    from relattr.registry import Registry

Names = str | Sequence[str]
"""One shell pattern, or several."""
Folder = str | os.PathLike[str]


def given_benchmark(name: str, registry: Registry, store: StoredResults, data: Folder | None = None) -> Benchmark:
    """The benchmark of this name or file; own photographs are those at ``data``, or those of the latest results.

    Raises `BadInput` for a benchmark of own photographs without any.
    """
    from relattr.harness.benchmark_paths import read_benchmark
    from relattr.harness.own_data import own_benchmark, require_data

    definition = own_benchmark(read_benchmark(name, registry), registry, store, Path(data) if data else None)
    require_data(definition, registry)
    return definition


def given_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds, each once. Raises `BadInput` for anything but an integer or several."""
    try:
        given = list(seeds)
    except TypeError:  # one
        given = [seeds]
    if not all(is_integer(seed, 0, MAX_SEED) for seed in given):
        raise BadInput(f"seeds are {shortened(repr(given))}; expected integers from 0 to {MAX_SEED}")
    return tuple(dict.fromkeys(int(seed) for seed in given))


def given_names(names: Names) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)
