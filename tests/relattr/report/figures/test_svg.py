"""SVG primitives."""

import numpy as np
import pytest

from relattr.report.figures.svg import axis_ticks, svg_text, wrap_label


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (83.2, 84.9), (50.0, 100.0), (1e-3, 2e-3), (10.0, 99999.0)])
def test_ticks_are_round_and_cover_the_range(lower, upper):
    ticks = axis_ticks(lower, upper)
    assert ticks[0] <= lower + 1e-9
    assert ticks[-1] >= upper - 1e-9 * abs(upper)
    assert 2 <= len(ticks) <= 9
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_a_cut_text_has_the_whole_as_tooltip():
    assert "<title>a &lt;long&gt; name</title>" in svg_text(0, 0, "a <long> name", max_length=6)
    assert "title" not in svg_text(0, 0, "short", max_length=6)


def test_a_label_has_at_most_three_lines():
    assert len(wrap_label("word " * 50)) == 3
    assert wrap_label("") == [""]
