"""Local binary patterns against a loop over pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.features.lbp import DIMENSIONS, lbp, uniform_patterns


def grey(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 256, (height, width)) // rng.integers(1, 60)).astype(np.uint8)


def codes(image: NDArray[np.uint8]) -> list[list[int]]:
    """The 8-bit code of each inner pixel: interpolated neighbours on a circle."""
    values = image.astype(float)
    rows = []
    for y in range(1, len(image) - 1):
        row = []
        for x in range(1, image.shape[1] - 1):
            code = 0
            for p in range(8):
                fy, fx = y - math.sin(math.pi / 4 * p), x + math.cos(math.pi / 4 * p)
                y0, x0 = math.floor(fy + 1e-9), math.floor(fx + 1e-9)
                ty, tx = fy - y0, fx - x0
                value = 0.0
                for dy, wy in ((0, 1 - ty), (1, ty)):
                    for dx, wx in ((0, 1 - tx), (1, tx)):
                        if wy * wx > 1e-9:
                            value += wy * wx * values[y0 + dy, x0 + dx]
                code |= (value >= values[y, x] - 1e-6) << p
            row.append(code)
        rows.append(row)
    return rows


def bin_of(code: int) -> int:
    """Return the index of a code among those with at most two transitions around the circle, or 58."""

    def transitions(c: int) -> int:
        return sum((c >> k & 1) != (c >> (k + 1) % 8 & 1) for k in range(8))

    return sum(transitions(c) <= 2 for c in range(code)) if transitions(code) <= 2 else 58


@pytest.mark.parametrize("seed", range(3))
def test_patterns_equal_the_reference_loop(seed: int) -> None:
    image = grey(13, 11, seed)
    expected = [[bin_of(code) for code in row] for row in codes(image)]
    assert uniform_patterns(image).tolist() == expected


@pytest.mark.parametrize("levels", [2, 3, 8, 256])
def test_every_pattern_has_its_bin(levels: int) -> None:
    """Few grey levels give many ties between a pixel and its interpolated neighbours; 256 give all 59 patterns."""
    image = np.random.default_rng(levels).integers(0, levels, (90, 90)).astype(np.uint8) + np.uint8(256 - levels)
    expected = [[bin_of(code) for code in row] for row in codes(image)]
    np.testing.assert_array_equal(uniform_patterns(image), expected)
    if levels == 256:
        assert np.unique(expected).tolist() == list(range(59))


@pytest.mark.parametrize("level", range(0, 256, 5))
def test_a_constant_image_has_all_bits_set(level: int) -> None:
    assert (uniform_patterns(np.full((5, 6), level, np.uint8)) == 57).all()


def test_feature_equals_counting_patterns() -> None:
    rng = np.random.default_rng(7)
    image = rng.integers(0, 256, (23, 30, 3)).astype(np.uint8)
    image[4:15, 6:20] //= 3
    luma = np.array([[math.floor(0.2989 * r + 0.587 * g + 0.114 * b + 0.5) for r, g, b in row] for row in image])
    labels = uniform_patterns(luma.astype(np.uint8))
    expected: list[float] = []
    for cells, total in ((1, 1), (2, 4), (4, 32)):
        level = []
        for column in range(cells):
            for row in range(cells):
                counts = [0] * 59
                for y in range(labels.shape[0]):
                    for x in range(labels.shape[1]):
                        if y * cells // labels.shape[0] == row and x * cells // labels.shape[1] == column:
                            counts[labels[y, x]] += 1
                level += counts
        expected += [total * count / sum(level) for count in level]
    result = lbp([image])
    assert result.shape == (1, 1239) == (1, DIMENSIONS)
    np.testing.assert_allclose(result[0], expected, atol=1e-6)
    np.testing.assert_allclose([result[0, :59].sum(), result[0, 59:295].sum(), result[0, 295:].sum()], [1, 4, 32])


def test_grey_constant_and_tiny_images() -> None:
    one = grey(9, 12)
    images: list[Any] = [
        one,
        np.stack([one] * 3, axis=2),
        np.full((9, 9, 3), 8, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
    ]
    features = lbp(images)
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_allclose(features.sum(1), 37, rtol=1e-5)
    assert features[2, 57] == 1  # all bits are set: the last uniform pattern
    np.testing.assert_array_equal(lbp(images[::-1])[::-1], features)


def test_invalid_images_are_named() -> None:
    with pytest.raises(BadInput, match="LBP: image 0"):
        lbp([np.zeros((3, 3, 3))])  # type: ignore[list-item]
