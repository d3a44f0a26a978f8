"""Box arithmetic compared with loops over pairs of boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relattr.chains.boxes import box_iou, random_transforms, transform_boxes


def boxes(rng, n):
    low = rng.uniform(0, 0.8, (n, 2))
    return np.concatenate([low, low + rng.uniform(0.05, 0.2, (n, 2))], 1)


def slow_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = width * height if width > 0 and height > 0 else 0.0
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_overlap_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    a, b = boxes(rng, 30), boxes(rng, 40)
    expected = [[slow_iou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-12)
    assert (box_iou(a, b) > 0).any()
    assert (box_iou(a, b) == 0).any()


def test_iou_of_a_box_with_itself_and_its_neighbour():
    halves = np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]])
    np.testing.assert_array_equal(box_iou(halves, halves), np.eye(2))


def test_moves_far_from_the_edge_are_plain():
    box = np.array([0.4, 0.45, 0.5, 0.65])
    np.testing.assert_allclose(transform_boxes(box, (0, 0, 1)), box)
    np.testing.assert_allclose(transform_boxes(box, (0.5, -0.25, 1)), [0.45, 0.4, 0.55, 0.6])
    np.testing.assert_allclose(transform_boxes(box, (0, 0, 2)), [0.35, 0.35, 0.55, 0.75])


@given(seed=st.integers(0, 2**32), shift=st.floats(0, 2), scale=st.floats(0.1, 10))
def test_transformed_boxes_stay_in_the_image(seed, shift, scale):
    rng = np.random.default_rng(seed)
    before = boxes(rng, 20)
    change = random_transforms(20, shift, [scale], rng)
    after = transform_boxes(before, change)
    assert (after >= 0).all()
    assert (after <= 1).all()
    for old, new, (dx, dy, factor) in zip(before, after, change, strict=True):
        for axis, by in ((0, dx), (1, dy)):
            size = old[2 + axis] - old[axis]
            expected_size = min(size * factor, 1.0)
            assert new[2 + axis] - new[axis] == pytest.approx(expected_size)
            middle = (old[axis] + old[2 + axis]) / 2 + by * size
            nearest = min(max(middle, expected_size / 2), 1 - expected_size / 2)
            assert (new[axis] + new[2 + axis]) / 2 == pytest.approx(nearest)


def test_published_companions_match_hand_computed_numbers():
    """(x, y) goes to (x + dx w, y + dy h) and the size to (w ds, h ds), about the centre; ds is 1/4 or 1."""
    box = np.array([0.4, 0.5, 0.6, 0.7])
    np.testing.assert_allclose(transform_boxes(box, (-0.6, 0.6, 1)), [0.28, 0.62, 0.48, 0.82])
    np.testing.assert_allclose(transform_boxes(box, (-0.6, 0.6, 0.25)), [0.355, 0.695, 0.405, 0.745])
    np.testing.assert_allclose(transform_boxes(box, (0, 1.6, 1)), [0.4, 0.8, 0.6, 1.0])  # moved back inside
    drawn = random_transforms(500, 0.6, (0.25, 1.0), np.random.default_rng(0))
    assert set(drawn[:, 2]) == {0.25, 1.0}
    assert 0.55 < np.abs(drawn[:, :2]).max() <= 0.6


def test_moves_broadcast_over_boxes_and_companions():
    rng = np.random.default_rng(1)
    some, changes = boxes(rng, 6), random_transforms(4, 0.5, (0.75, 1.0), rng)
    result = transform_boxes(some[:, None], changes[None])
    assert result.shape == (6, 4, 4)
    for i in range(6):
        for j in range(4):
            np.testing.assert_array_equal(result[i, j], transform_boxes(some[i], changes[j]))


def test_random_moves_fill_their_range():
    transforms = random_transforms(3000, 0.5, (0.75, 1.0, 4 / 3), np.random.default_rng(2))
    assert transforms.shape == (3000, 3)
    assert np.abs(transforms[:, :2]).max() <= 0.5
    np.testing.assert_allclose(transforms[:, :2].mean(0), 0, atol=0.03)
    np.testing.assert_allclose(transforms[:, :2].std(0), 1 / np.sqrt(12), atol=0.01)
    values, counts = np.unique(transforms[:, 2], return_counts=True)
    np.testing.assert_array_equal(values, [0.75, 1.0, 4 / 3])
    assert counts.min() > 850
