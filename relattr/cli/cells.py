"""What ``plan``, ``run`` and ``status`` have in common: the cells of a benchmark and their summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relattr.cli.options import selection_from_options
from relattr.cli.output import echo
from relattr.cli.plugins import load_registry
from relattr.cli.wording import counted
from relattr.harness.benchmark import load_benchmark
from relattr.harness.benchmark_paths import with_resolved_paths
from relattr.harness.own_data import own_benchmark
from relattr.harness.plan import Plan, PlannedCell, make_plan
from relattr.harness.stored_results import StoredResults
from relattr.registry import Registry


def plan_from_options(benchmark: str, store: StoredResults, options: Mapping[str, Any]) -> tuple[Plan, Registry]:
    """The plan that the `benchmark_options` of a command select, with the registry it uses.

    Raises `UnknownName` for a method or dataset of the benchmark that is not registered.
    """
    definition = load_benchmark(benchmark)
    registry = load_registry(options["plugin_folders"])
    definition = own_benchmark(with_resolved_paths(definition, registry), registry, store, options["data"])
    plan = make_plan(definition, registry, store, selection_from_options(options))
    plan.require_registered(registry)
    return plan, registry


def state_of(planned: PlannedCell) -> str:
    """The state of a cell, as shown in the first column."""
    return "stale, kept" if planned.keep_stale else planned.state


def shown_place(results: Path) -> str:
    """The folder or file of results, as messages show it."""
    return str(results) if results.is_file() else f"{results}/"


def count_states(cells: Sequence[PlannedCell]) -> str:
    """Return ``4 cells: 3 done, 1 missing``."""
    if not cells:
        return "no cells"
    counts = Counter(planned.state for planned in cells)
    return f"{counted(len(cells), 'cell')}: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))


def is_described(plan: Plan) -> bool:
    """Whether the benchmark itself says where the data are: a path that the user gave is described by the user."""
    from relattr.harness.benchmark import benchmark_names
    from relattr.harness.own_data import BENCHMARK as OWN

    return plan.benchmark.name in benchmark_names() and plan.benchmark.name != OWN


def report_unavailable(plan: Plan) -> None:
    """Print the plugins that the benchmark lists and that do not exist, and the datasets without tasks."""
    if plan.unregistered:
        echo("\nListed in the benchmark but not registered: " + ", ".join(sorted(plan.unregistered)))
    for name, reason in plan.without_tasks.items():
        hint = f"; relattr list benchmarks {plan.benchmark.name} says what data it needs" if is_described(plan) else ""
        echo(f"\nNo tasks of {name}: {reason}{hint}")
