"""L*a*b* against scikit-image, and its histogram against counting pixel by pixel."""

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


def test_histogram_equals_counting_pixels() -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, size).astype(np.uint8) for size in ((7, 9, 3), (4, 5, 3), (1, 1, 3))]
    histograms = lab_histogram(images)
    assert histograms.shape == (3, 30)
    for image, row in zip(images, histograms, strict=True):
        counts = [0] * 30
        for lab in rgb2lab(image).reshape(-1, 3):
            for channel, (value, lower, upper) in enumerate(zip(lab, (0, -100, -100), (100, 100, 100), strict=True)):
                counts[10 * channel + min(9, max(0, int((value - lower) / (upper - lower) * 10)))] += 1
        expected = np.array(counts) / (3 * image.shape[0] * image.shape[1])
        np.testing.assert_allclose(row, expected, atol=1e-6)
        np.testing.assert_allclose(row.reshape(3, 10).sum(1), 1 / 3, atol=1e-6)


def test_invalid_images_are_named() -> None:
    with pytest.raises(BadInput, match="Lab histogram: image 0"):
        lab_histogram([np.zeros((3, 3, 4), np.uint8)])
