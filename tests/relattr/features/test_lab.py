"""L*a*b* against scikit-image, and its histogram against a count pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from relattr.errors import BadInput
from relattr.features.lab import lab_histogram, rgb_to_lab


def test_equals_scikit_image() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    np.testing.assert_allclose(rgb_to_lab(rgb), rgb2lab(rgb), atol=1e-6)
    assert rgb_to_lab([255, 255, 255]) == pytest.approx([100, 0, 0], abs=0.01)


def test_histogram_equals_a_count() -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, size).astype(np.uint8) for size in ((7, 9, 3), (4, 5, 3), (1, 1, 3))]
    found = lab_histogram(images)
    assert found.shape == (3, 30)
    for image, row in zip(images, found, strict=True):
        counts = [0] * 30
        for lab in rgb2lab(image).reshape(-1, 3):
            for channel, (value, low, high) in enumerate(zip(lab, (0, -100, -100), (100, 100, 100), strict=True)):
                counts[10 * channel + min(9, max(0, int((value - low) / (high - low) * 10)))] += 1
        expected = np.array(counts) / (3 * image.shape[0] * image.shape[1])
        np.testing.assert_allclose(row, expected, atol=1e-6)
        np.testing.assert_allclose(row.reshape(3, 10).sum(1), 1 / 3, atol=1e-6)


def test_an_image_that_is_none_is_named() -> None:
    with pytest.raises(BadInput, match="Lab histogram: image 0"):
        lab_histogram([np.zeros((3, 3, 4), np.uint8)])
