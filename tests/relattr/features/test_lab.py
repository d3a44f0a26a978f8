"""L*a*b* against scikit-image, and its histogram against counting pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.color import rgb2lab

from relattr.errors import BadInput
from relattr.features import lab
from relattr.features.lab import lab_histogram, rgb_to_lab


def test_equals_scikit_image() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    np.testing.assert_allclose(rgb_to_lab(rgb), rgb2lab(rgb), atol=1e-6)
    assert rgb_to_lab([255, 255, 255]) == pytest.approx([100, 0, 0], abs=0.01)


@pytest.mark.parametrize("compiled", [False, True])
def test_histogram_equals_counting_pixels(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel: Any = lab._count_certain
    monkeypatch.setattr(lab, "_count_certain", kernel.dispatcher if compiled else kernel.in_numpy)
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, size).astype(np.uint8) for size in ((70, 9, 3), (4, 5, 3), (1, 1, 3))]
    images.append(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))  # a* and b* on an edge of bins
    histograms = lab_histogram(images)
    assert histograms.shape == (4, 30)
    for image, row in zip(images, histograms, strict=True):
        counts = [0] * 30
        for color in rgb2lab(image).reshape(-1, 3):
            for channel, (value, lower, upper) in enumerate(zip(color, (0, -100, -100), (100, 100, 100), strict=True)):
                counts[10 * channel + min(9, max(0, int((value - lower) / (upper - lower) * 10)))] += 1
        expected = np.array(counts) / (3 * image.shape[0] * image.shape[1])
        np.testing.assert_allclose(row, expected, atol=1e-6)
        np.testing.assert_allclose(row.reshape(3, 10).sum(1), 1 / 3, atol=1e-6)


def test_invalid_images_are_named() -> None:
    with pytest.raises(BadInput, match="Lab histogram: image 0"):
        lab_histogram([np.zeros((3, 3, 4), np.uint8)])
