"""The remaining time of a run follows what the run measures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from relattr.harness.cell import Cell
from relattr.harness.estimate import CellDurations
from relattr.harness.plan import PlannedCell
from relattr.harness.remaining_time import OVERTIME, RemainingTime


def planned(method, seed=0, state="missing"):
    return PlannedCell(Cell(method, {}, "d", {}, "x", "standard", seed), state, "", {})


def result(seconds, status="ok", method="m"):
    return SimpleNamespace(seconds=seconds, status=status, cell=planned(method).cell, seconds_fit=None)


CELLS = [planned("m", 0), planned("m", 1), planned("n", 0), planned("n", 1)]
KNOWN = CellDurations([result(100.0), result(40.0, method="n")])


def test_without_measurements_earlier_results_count():
    assert RemainingTime(CELLS, KNOWN, 1).seconds({}) == pytest.approx(2 * 100 + 2 * 40)
    assert RemainingTime(CELLS, KNOWN, 2).seconds({}) == pytest.approx(140)
    assert RemainingTime(CELLS[:1], KNOWN, 8).seconds({}) == pytest.approx(100)  # one cell is not divided
    assert RemainingTime(CELLS, CellDurations([]), 1).seconds({}) is None


def test_measured_cells_replace_and_scale_earlier_results():
    remaining = RemainingTime(CELLS, KNOWN, 1)
    remaining.finished(CELLS[0], result(300.0))  # three times slower than before
    assert remaining.seconds({}) == pytest.approx(300 + 2 * 3 * 40)


def test_a_fast_method_says_nothing_about_a_slow_one():
    remaining = RemainingTime(CELLS, CellDurations([]), 1)
    remaining.finished(CELLS[0], result(0.01))
    assert remaining.seconds({}) is None
    remaining.finished(CELLS[2], result(60.0, method="n"))
    assert remaining.seconds({}) == pytest.approx(0.01 + 60.0)


def test_the_time_of_running_cells_is_subtracted():
    remaining = RemainingTime(CELLS[:2], KNOWN, 1)
    first, second = (cell.cell.key for cell in CELLS[:2])
    assert remaining.seconds({first: 60.0}) == pytest.approx(40 + 100)
    assert remaining.seconds({first: 500.0, second: 100.0}) == pytest.approx(OVERTIME * 600)


def test_failed_and_blocked_cells_say_nothing_about_the_others():
    cells = [*CELLS, planned("m", 2, "blocked")]
    remaining = RemainingTime(cells, KNOWN, 1)
    remaining.finished(CELLS[0], result(0.1, "failed"))
    remaining.finished(CELLS[1])  # by another run
    assert remaining.seconds({}) == pytest.approx(2 * 40)
    for cell in CELLS[2:]:
        remaining.finished(cell, result(40.0))
    assert remaining.seconds({}) == 0.0
