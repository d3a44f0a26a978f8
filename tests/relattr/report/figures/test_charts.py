"""Charts of the page: the axis of time has round durations, that of the loss begins at 0."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relattr.report.figures.charts import _duration_ticks, cost_chart, learning_curve_chart


@given(st.floats(1e-6, 1e8), st.floats(1e-6, 1e8))
def test_ticks_of_time_enclose_the_durations(one, other):
    least, most = sorted((one, other))
    ticks = _duration_ticks(least, most)
    assert ticks[0] <= least
    assert most < ticks[-1]
    assert len(ticks) >= 2
    assert all(2 < b / a < 11 for a, b in itertools.pairwise(ticks))
    assert len(ticks) == 2 or (ticks[1] > least and ticks[-2] <= most)


@pytest.mark.parametrize(
    ("fast", "slow", "labels"),
    [(5.0, 900.0, ["1 s", "10 s", "1 min", "10 min", "1 h"]), (0.02, 0.05, ["10 ms", "100 ms"])],
)
def test_ticks_of_time_are_in_units_that_people_use(synthetic, column, fast, slow, labels):
    for method, seconds in (("fast", fast), ("slow", slow)):
        synthetic.add(method, "a", "x", seconds_fit=seconds, seconds_compare=0.0)
    chart = cost_chart(synthetic.table(["fast", "slow"], [column]), 0, "key")
    assert re.findall(r">(\d+ (?:ms|s|min|h))<", chart) == labels


@pytest.mark.parametrize(("first", "last"), [(0.69, 0.21), (0.4, 0.01), (1200.0, 900.0), (1e-6, 9e-7)])
def test_the_axis_of_the_loss_begins_at_zero(first, last):
    steps = np.linspace(0, 100, 5)
    curve = np.column_stack([steps, np.linspace(first, last, 5), np.full(5, np.nan), steps])
    ticks = re.findall(r'text-anchor="end" class="tick">([^<]+)<', learning_curve_chart(curve, "t", "k") or "")
    assert min(map(float, ticks)) == 0
    assert max(map(float, ticks)) >= first * (1 - 1e-9)
