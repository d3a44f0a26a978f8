"""Colour patches against counting pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.features.color_names import color_names
from relattr.features.color_patches import ColorPatches
from relattr.features.llc import encode_llc


def pictures(n: int, height: int = 30, width: int = 37, seed: int = 0) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    images = []
    for _ in range(n):
        image = np.empty((height, width, 3))
        image[:] = rng.uniform(0, 255, 3)
        for _ in range(6):
            cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(3, 12)
            image[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = rng.uniform(0, 255, 3)
        images.append(np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8))
    return images


def test_descriptors_equal_counting_pixels() -> None:
    (image,) = pictures(1)
    names = color_names(image)
    expected, centres = [], []
    for size in (8, 12, 16):
        for y in range(0, 30 - size + 1, 4):
            for x in range(0, 37 - size + 1, 4):
                counts = np.bincount(names[y : y + size, x : x + size].ravel(), minlength=50)
                expected.append(counts / size**2)
                centres.append((y + size / 2, x + size / 2))
    feature = ColorPatches()
    descriptors, positions = feature.descriptors(image)
    assert descriptors.shape == (feature.count(30, 37), 50)
    np.testing.assert_allclose(descriptors, expected, atol=1e-5)
    np.testing.assert_array_equal(positions, centres)


def test_feature_is_the_max_pooled_code() -> None:
    feature = ColorPatches(n_words=20).fit(pictures(4), seed=1)
    assert feature.words_.shape == (20, 50)
    (image,) = pictures(1, seed=5)
    descriptors, positions = feature.descriptors(image)
    codes = np.zeros((len(descriptors), 20))
    for row, index, weight in zip(codes, *encode_llc(descriptors, feature.words_), strict=True):
        row[index] = weight
    blocks = []
    for g in (4, 2, 1):
        for column in range(g):
            for row in range(g):
                inside = (positions * g // np.array([30, 37]) == (row, column)).all(1)
                blocks.append(codes[inside].max(0) if inside.any() else np.zeros(20))
    expected = np.concatenate(blocks)
    result = feature.transform([image])
    assert result.shape == (1, 21 * 20)
    np.testing.assert_allclose(result[0], expected / np.linalg.norm(expected), atol=1e-5)
    assert ColorPatches().dimensions == 5376


def test_small_and_uniform_images() -> None:
    feature = ColorPatches(n_words=8).fit(pictures(3))
    descriptors = feature.transform([np.full((1, 1, 3), 9, np.uint8), np.full((5, 40, 3), 200, np.uint8), *pictures(1)])
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-6)
    assert feature.count(1, 1) == 9 + 4 + 1  # padded to 16 x 16 px


def test_invalid_images_are_named() -> None:
    with pytest.raises(BadInput, match="colour patches: there is no dictionary"):
        ColorPatches().transform(pictures(1))
    with pytest.raises(BadInput, match="colour patches: image 0 is float64"):
        ColorPatches().fit([np.zeros((20, 20, 3))])  # type: ignore[list-item]
