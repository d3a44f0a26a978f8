"""The order of cells: light methods, then the longest expected duration, then the order of the benchmark."""

from __future__ import annotations

import msgspec
import pytest

from relattr.execution.cell_queue import CellQueue
from relattr.harness.cell import Cell
from relattr.harness.estimate import CellDurations
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import record_provenance
from relattr.harness.result import VERSION, Result

SECONDS = {"linear": 10.0, "network": 900.0, "big": 2000.0, "chance": 0.1}


def planned(method, attribute="a", state="missing"):
    return PlannedCell(Cell(method, {}, "d", {}, attribute, "standard", 0), state, "", {})


@pytest.fixture
def queue(job):
    """``queue(cells, known)``: their queue, when the durations of these methods are known."""

    def create(cells, known=()):
        provenance = record_provenance("cpu", 1)
        results = [
            Result(VERSION, planned(name).cell, "ok", {}, provenance, name, "D", seconds=SECONDS[name])
            for name in known
        ]
        pairs = [
            (item, msgspec.structs.replace(job, preload=() if item.cell.method == "chance" else ("torch",)))
            for item in cells
        ]
        return CellQueue(pairs, CellDurations(results) if known else None)

    return create


def emptied(queue, names):
    return [names[queue.pop()] for _ in range(len(queue))]


def named(cells):
    return {item.cell.key: f"{item.cell.method} {item.cell.attribute}" for item in cells}


def test_without_durations_methods_run_in_turn_light_ones_first(queue):
    cells = [planned(method, attribute) for attribute in "ab" for method in ("linear", "chance", "network")]
    expected = [f"{method} {attribute}" for method in ("chance", "linear", "network") for attribute in "ab"]
    assert emptied(queue(cells), named(cells)) == expected


def test_unknown_cells_run_first_and_then_the_longest(queue):
    cells = [planned(method) for method in ("linear", "network", "new", "big", "chance")]
    cells.append(planned("linear", "b", state="blocked"))  # ends at once
    order = emptied(queue(cells, ("linear", "network", "big", "chance")), named(cells))
    assert order == ["chance a", "linear b", "new a", "big a", "network a", "linear a"]


def test_a_returned_cell_runs_behind_those_as_long_as_itself(queue):
    cells = [planned(method, attribute) for method in ("linear", "network") for attribute in "abc"]
    lost = queue(cells, ("linear", "network"))
    first = lost.pop()
    lost.put_back(first)
    assert emptied(lost, named(cells)) == [f"network {a}" for a in "bca"] + [f"linear {a}" for a in "abc"]


def test_an_empty_queue_has_no_next_cell(queue):
    empty = queue([])
    assert len(empty) == 0
    with pytest.raises(IndexError):
        empty.pop()
