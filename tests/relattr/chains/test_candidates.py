"""The grid of candidate patches: positions and counts."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.chains.candidates import candidate_boxes, median_size
from relattr.errors import BadInput
from relattr.images import Images


def test_the_grid_is_that_of_a_loop():
    """Patches of 40 and 100 px, half their side apart, on an image of 200 x 100 px."""
    expected = []
    for side, across, down in ((40, 9, 4), (100, 3, 1)):  # 160 / 20 + 1, 60 / 20 + 1; 100 / 50 + 1, 1
        for row in range(down):
            for column in range(across):
                x, y = column * (200 - side) / (across - 1), row * (100 - side) / max(1, down - 1)
                expected.append((x / 200, y / 100, (x + side) / 200, (y + side) / 100))
    np.testing.assert_allclose(candidate_boxes([40, 100], (200, 100), 0.5, 300), expected)


@pytest.mark.parametrize("most", [30, 100, 300, 1000])
def test_number_of_candidates_is_limited(most):
    sides = (40.0, 50.0, 70.0, 100.0)
    boxes = candidate_boxes(sides, (250, 250), 0.25, most)
    assert most / 2 < len(boxes) <= most
    assert boxes.min() == 0
    assert boxes.max() == 1
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    np.testing.assert_allclose(np.unique((250 * (boxes[:, 2] - boxes[:, 0])).round(6)), sides)
    for side in sides:  # whole rows, evenly spread from edge to edge
        lefts = np.unique(boxes[np.isclose(boxes[:, 2] - boxes[:, 0], side / 250), 0].round(9))
        np.testing.assert_allclose(lefts, np.linspace(0, 1 - side / 250, lefts.size), atol=1e-8)


def test_size_of_default_and_trivial_grids():
    assert len(candidate_boxes((40, 50, 70, 100), (250, 250), 0.25, 10_000)) == 22**2 + 17**2 + 12**2 + 7**2
    np.testing.assert_array_equal(candidate_boxes([300.0], (250, 200), 0.1, 5), [[0, 0, 1, 1]])
    np.testing.assert_allclose(  # cut to the image from above and below
        candidate_boxes([100.0], (150, 80), 1.0, 5), [[0, 0, 2 / 3, 1], [1 / 3, 0, 1, 1]]
    )


@pytest.mark.parametrize(
    ("sides", "size", "stride", "most", "words"),
    [
        ([], (9, 9), 0.1, 9, "sides"),
        ([0.0], (9, 9), 0.1, 9, "sides"),
        ([5], (9, 9), 0.0, 9, "stride"),
        ([5], (9, 9), 2.0, 9, "stride"),
        ([5], (9, 0), 1.0, 9, "size of an image"),
        ([3, 5, 7], (10, 10), 0.1, 2, "at least 12 candidates; at most 2"),
    ],
)
def test_an_empty_grid_is_an_error_with_the_reason(sides, size, stride, most, words):
    with pytest.raises(BadInput, match=words):
        candidate_boxes(sides, size, stride, most)


def test_median_size_of_images():
    images = Images.from_arrays([np.zeros((h, w, 3), np.uint8) for h, w in ((10, 30), (20, 20), (90, 40))])
    assert median_size(images) == (30, 20)
    assert median_size(images, 1) == (30, 10)
