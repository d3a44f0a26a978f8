"""The grid of candidate patches: where they lie and how many there are."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.chains.candidates import candidate_boxes
from relattr.errors import BadInput


def test_the_grid_is_that_of_a_loop():
    expected = []
    for side, k in ((0.25, 4), (0.5, 3)):  # 0.75 / 0.25 + 1, 0.5 / 0.25 + 1
        for row in range(k):
            for column in range(k):
                x, y = column * (1 - side) / (k - 1), row * (1 - side) / (k - 1)
                expected.append((x, y, x + side, y + side))
    np.testing.assert_allclose(candidate_boxes([0.25, 0.5], 0.25, 300), expected)


@pytest.mark.parametrize("most", [30, 100, 300, 1000])
def test_number_of_candidates_is_limited(most):
    sides = (0.25, 0.375, 0.5)
    found = candidate_boxes(sides, 0.0625, most)
    assert most / 2 < len(found) <= most or len(found) == 13**2 + 11**2 + 9**2
    assert found.min() == 0
    assert found.max() == 1
    np.testing.assert_allclose(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
    np.testing.assert_allclose(np.unique((found[:, 2] - found[:, 0]).round(9)), sides)
    for side in sides:  # whole rows, evenly spread from edge to edge
        own = np.unique(found[np.isclose(found[:, 2] - found[:, 0], side), 0].round(9))
        np.testing.assert_allclose(own, np.linspace(0, 1 - side, own.size), atol=1e-8)


def test_size_of_default_and_trivial_grids():
    assert len(candidate_boxes((0.25, 0.375, 0.5), 1 / 16, 10_000)) == 371
    np.testing.assert_array_equal(candidate_boxes([1.0], 0.1, 5), [[0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("sides", "stride", "most", "words"),
    [
        ([], 0.1, 9, "sides"),
        ([0.0], 0.1, 9, "sides"),
        ([1.2], 0.1, 9, r"\[1.2\]"),
        ([0.5], 0.0, 9, "stride"),
        ([0.5], 2.0, 9, "stride"),
        ([0.3, 0.5, 0.7], 0.1, 2, "at least 12 candidates; at most 2"),
    ],
)
def test_no_grid_says_why(sides, stride, most, words):
    with pytest.raises(BadInput, match=words):
        candidate_boxes(sides, stride, most)
