"""The study of 10,000 cells on 100 simulated workers, in miniature: nothing lost, nothing twice, workers kept busy."""

from __future__ import annotations

import heapq
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from relattr.registry import registry

PATH = Path(__file__).parents[2] / "benchmarks" / "studies" / "many_workers.py"
spec = importlib.util.spec_from_file_location("many_workers", PATH)
assert spec is not None
assert spec.loader is not None
study = importlib.util.module_from_spec(spec)
sys.modules["many_workers"] = study  # dataclasses look their module up
spec.loader.exec_module(study)

N_CELLS, N_WORKERS = 200, 10


def simulate(name, **scenario):
    registry.discover()
    return study.simulate(study.ClusterScenario(name, **scenario), N_CELLS, N_WORKERS, 1, registry)


def assert_nothing_lost_and_nothing_twice(simulation):
    keys = set(simulation.cluster.seconds)
    assert len(keys) == N_CELLS
    assert simulation.n_written == Counter(dict.fromkeys(keys, 1))
    assert {result.cell.key for result in simulation.results} == keys
    assert simulation.cluster.starts.keys() == keys
    assert simulation.cluster.starts.total() == N_CELLS + simulation.cluster.n_losses
    assert simulation.cluster.clock >= simulation.lower_bound


@pytest.mark.parametrize("allowed_failures", [0, 3])
def test_failing_workers_lose_no_cell(allowed_failures):
    simulation = simulate("failures", fastest=2, uptime=2 * 3600, allowed_failures=allowed_failures)
    assert_nothing_lost_and_nothing_twice(simulation)
    assert simulation.cluster.n_losses > 10
    for result in simulation.results:
        n_losses = simulation.cluster.starts[result.cell.key] - (result.status == "ok")
        assert result.attempts == n_losses // (allowed_failures + 1) + (result.status == "ok")
        if result.status != "ok":  # five losses that the runner saw
            assert (result.status, result.attempts) == ("crashed", 5)


def test_equal_workers_are_never_idle_while_cells_wait():
    """The makespan is that of a list schedule: each cell, in the order of starts, on the worker that is free first."""
    simulation = simulate("equal")
    assert_nothing_lost_and_nothing_twice(simulation)
    free = [0.0] * N_WORKERS
    for key in simulation.cluster.starts:  # a Counter lists its keys in the order of their first start
        heapq.heappush(free, heapq.heappop(free) + simulation.cluster.seconds[key])
    assert simulation.cluster.clock == pytest.approx(max(free))


def test_known_durations_start_long_cells_first():
    known, unknown = simulate("known"), simulate("unknown", known=False)
    longest = 0.02 * known.work / N_WORKERS
    assert known.cluster.clock - known.lower_bound < longest < unknown.cluster.clock - unknown.lower_bound
    light = [key for key in known.cluster.starts if known.cluster.seconds[key] < 1]
    assert list(known.cluster.starts)[: len(light)] == light  # chance waits for no import


@pytest.mark.parametrize("known", [True, False])
def test_workers_of_different_speeds_end_within_one_cell(known):
    simulation = simulate("speeds", fastest=3, known=known)
    assert_nothing_lost_and_nothing_twice(simulation)
    assert simulation.cluster.clock <= simulation.upper_bound
