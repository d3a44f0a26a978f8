"""Default time limits: long enough for what a method took before, and never in place of a limit of the user."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from relattr.harness.cell import Cell
from relattr.harness.estimate import TIME_FACTOR, CellDurations, extend_time_limits
from relattr.harness.limits import DEFAULT_TIME, Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.units import parse_duration

CELL = Cell("m", {}, "d", {}, "x", "standard", 0)


def durations(*seconds, status="ok"):
    results = [SimpleNamespace(cell=CELL, seconds=s, seconds_fit=None, status=status) for s in seconds]
    return CellDurations(results)


def time_limit(known, limits=Limits(), cell=CELL):  # noqa: B008
    (planned,) = extend_time_limits([PlannedCell(cell, "missing", "", {}, limits=limits)], known)
    return planned.limits.time


def test_a_method_that_took_long_has_a_longer_limit():
    seconds = parse_duration(time_limit(durations(10.0, 5 * 3600.0)))
    assert TIME_FACTOR * 5 * 3600 <= seconds <= TIME_FACTOR * 5 * 3600 + 3600


@pytest.mark.parametrize("known", [durations(), durations(60.0), durations(1e6, status="timeout")])
def test_otherwise_the_default_applies(known):
    assert time_limit(known) == ""


def test_a_limit_of_the_user_is_kept():
    for text in ("none", "5m"):
        assert time_limit(durations(1e6), Limits(time=text)) == text


def test_other_parameters_say_nothing_about_the_duration():
    timed = [
        SimpleNamespace(cell=Cell("m", {"steps": n}, dataset, {}, "x", "standard", 0), seconds=s, status="ok")
        for n, dataset, s in ((20, "d", 10.0), (20, "e", 30.0), (20, "e", 50.0))
    ]
    known = CellDurations(timed)

    def estimate(steps, dataset):
        return known.estimate(
            PlannedCell(Cell("m", {"steps": steps}, dataset, {}, "y", "standard", 1), "missing", "", {})
        )

    assert estimate(20, "d") == 10.0
    assert estimate(20, "e") == 40.0
    assert estimate(20, "other") == 25.0  # the mean of the datasets
    assert estimate(8000, "d") is None


def test_every_job_has_a_time_limit():
    from relattr.execution.job import make_job
    from relattr.harness.provenance import Origin

    for limits, expected in ((Limits(), DEFAULT_TIME), (Limits(time="none"), "none"), (Limits(time="1m"), "1m")):
        job = make_job(PlannedCell(CELL, "missing", "", {}, limits=limits), Origin("", None, ""))
        assert job.limits.time == expected
