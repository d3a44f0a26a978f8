"""HOG against plain loops in float64, and its geometry."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from relattr.errors import BadInput
from relattr.features.hog import dense_hog, stacked_hog
from relattr.features.hog_grid import make_grid

Image = npt.NDArray[np.uint8]


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Smooth shapes, flat areas and noise: long, short and absent gradients."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([120 + 100 * np.sin(x / (3 + c) + y / 7) for c in range(3)], axis=-1)
    image += rng.normal(0, 25, image.shape)
    image[: height // 3, : width // 2] = 77
    return np.clip(image, 0, 255).astype(np.uint8)


def reference_gradient(image: Image, y: int, x: int) -> tuple[float, int]:
    """Length of the strongest channel's central difference, and which of 18 directions is nearest."""
    best_square, best = -1.0, (0.0, 0.0)
    for c in range(3):
        dy = float(image[y + 1, x, c]) - float(image[y - 1, x, c])
        dx = float(image[y, x + 1, c]) - float(image[y, x - 1, c])
        if dx * dx + dy * dy > best_square:
            best_square, best = dx * dx + dy * dy, (dx, dy)
    dots = []
    for o in range(18):
        angle = math.radians(20 * o)
        dots.append(round(math.cos(angle), 4) * best[0] + round(math.sin(angle), 4) * best[1])
    return math.sqrt(best_square), dots.index(max(dots))


def reference_histogram(image: Image, y: int, x: int, cell: int) -> list[float]:
    """The histogram of the cell centred on pixel (y, x)."""
    histogram = [0.0] * 18
    for dy in range(-cell + 1, cell):
        for dx in range(-cell + 1, cell):
            length, direction = reference_gradient(image, y + dy, x + dx)
            histogram[direction] += length * (1 - abs(dy) / cell) * (1 - abs(dx) / cell)
    return histogram


def cell_features(histogram: list[float], block_energies: list[float]) -> list[float]:
    """The 31 features of a cell, given the sum of energies of each of its four blocks."""
    scales = [1 / math.sqrt(e + 1e-4) for e in block_energies]
    contrast_free = [histogram[o] + histogram[o + 9] for o in range(9)]
    values = [0.5 * sum(min(h * s, 0.2) for s in scales) for h in histogram + contrast_free]
    return values + [0.2357 * sum(min(h * s, 0.2) for h in histogram) for s in scales]


def energy(histogram: list[float]) -> float:
    return sum((histogram[o] + histogram[o + 9]) ** 2 for o in range(9))


def reference_cell(image: Image, y: int, x: int, cell: int) -> list[float]:
    """The 31-d descriptor of the cell centred on pixel (y, x)."""
    around = {
        (a, b): reference_histogram(image, y + a * cell, x + b * cell, cell) for a in (-1, 0, 1) for b in (-1, 0, 1)
    }
    blocks = []
    for down, right in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        corners = [(0, 0), (down, 0), (0, right), (down, right)]
        blocks.append(sum(energy(around[corner]) for corner in corners))
    return cell_features(around[0, 0], blocks)


@pytest.mark.parametrize(("cell", "cells"), [(8, [(0, 0), (3, 5), (7, 2)]), (3, [(0, 0), (11, 20), (27, 23), (14, 1)])])
def test_dense_map_equals_plain_loop(cell: int, cells: list[tuple[int, int]]) -> None:
    image = picture(40, 38, seed=cell)
    result = dense_hog(image, cell=cell)
    assert result.shape == (40 - 4 * cell, 38 - 4 * cell, 31)
    assert result.dtype == np.float32
    for i, j in cells:
        expected = reference_cell(image, i + 2 * cell, j + 2 * cell, cell)
        np.testing.assert_allclose(result[i, j], expected, rtol=2e-5, atol=2e-6)
    assert result.max() > 0.1


def test_every_pixel_of_a_small_map() -> None:
    image = picture(20, 21, seed=5)
    result = dense_hog(image, cell=4)
    expected = [[reference_cell(image, i + 8, j + 8, 4) for j in range(5)] for i in range(4)]
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=2e-6)


def test_stride_of_a_cell_is_bilinear_voting_into_a_lattice() -> None:
    # Felzenszwalb's own formulation: each pixel votes for the four lattice cells around it.
    cell, image = 8, picture(56, 64, seed=3)
    centres_y, centres_x = range(8, 49, 8), range(8, 57, 8)
    lattice = np.zeros((len(centres_y), len(centres_x), 18))
    for y in range(1, 55):
        for x in range(1, 63):
            length, direction = reference_gradient(image, y, x)
            fy, fx = y / cell - 1, x / cell - 1
            for i, wy in ((math.floor(fy), 1 - fy % 1), (math.floor(fy) + 1, fy % 1)):
                for j, wx in ((math.floor(fx), 1 - fx % 1), (math.floor(fx) + 1, fx % 1)):
                    if 0 <= i < lattice.shape[0] and 0 <= j < lattice.shape[1]:
                        lattice[i, j, direction] += length * wy * wx
    energies = np.sum((lattice[..., :9] + lattice[..., 9:]) ** 2, axis=-1)
    result = dense_hog(image, cell=cell, stride=cell)
    assert result.shape[:2] == (3, 4)
    for i in range(1, 4):
        for j in range(1, 5):
            blocks = [
                float(energies[min(i, i + a) : max(i, i + a) + 1, min(j, j + b) : max(j, j + b) + 1].sum())
                for a, b in ((1, 1), (-1, 1), (1, -1), (-1, -1))
            ]
            expected = cell_features(list(lattice[i, j]), blocks)
            np.testing.assert_allclose(result[i - 1, j - 1], expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("dx", "dy"), [(0, 90), (0, -90), (90, 0), (-90, 0), (60, 60), (-30, 80), (99, 98)])
def test_a_ramp_votes_for_one_direction(dx: int, dy: int) -> None:
    y, x = np.mgrid[:20, :20]
    image = np.repeat((120 + (x * dx + y * dy) // 20)[:, :, None], 3, axis=2).astype(np.uint8)
    cell = dense_hog(image, cell=4)[2, 2]
    angle = math.degrees(math.atan2(dy, dx)) % 360
    nearest = min(range(18), key=lambda o: (abs((20 * o - angle + 180) % 360 - 180), o))
    assert cell[:18].argmax() == nearest
    assert cell[18:27].argmax() == nearest % 9


def test_faint_gradients_are_damped_by_epsilon() -> None:
    image = np.full((24, 24, 3), 50, dtype=np.uint8)
    image[11, 12] += 1  # at the border of a cell its energy is small against the epsilon of 1e-4
    result = dense_hog(image, cell=4)
    assert result[..., :27].max() > 0.1
    for i in range(8):
        for j in range(8):
            np.testing.assert_allclose(result[i, j], reference_cell(image, i + 8, j + 8, 4), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("channels", "direction"), [((0, 1), 0), ((1, 0), 4), ((1, 2), 0), ((2, 1), 4)])
def test_the_first_of_equally_strong_channels_is_used(channels: tuple[int, int], direction: int) -> None:
    image = np.zeros((20, 20, 3), dtype=np.uint8)
    image[:, :, channels[0]] = 5 * np.arange(20)  # to the right
    image[:, :, channels[1]] = 5 * np.arange(20)[:, None]  # down: between directions 4 and 5, and 4 is first
    assert np.flatnonzero(dense_hog(image, cell=4)[2, 2, :18]).tolist() == [direction]


def test_strides_and_shifts_sample_one_map() -> None:
    image = picture(70, 61)
    whole = dense_hog(image)
    np.testing.assert_array_equal(dense_hog(image, stride=5), whole[::5, ::5])
    np.testing.assert_array_equal(dense_hog(image[7:, 11:]), whole[7:, 11:])


def test_padding_mirrors_including_the_edge() -> None:
    image = picture(30, 22)
    np.testing.assert_array_equal(
        dense_hog(image, pad=20), dense_hog(np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="symmetric"))
    )


@pytest.mark.parametrize(("cells", "pad", "length"), [(2, 20, 124), (3, 24, 279)])
@pytest.mark.parametrize("size", [(50, 43), (61, 55), (1, 3)])
def test_descriptors_are_cells_of_the_map(cells: int, pad: int, length: int, size: tuple[int, int]) -> None:
    image = picture(*size)
    descriptors, positions = stacked_hog(image, cells=cells, pad=pad)
    dense = dense_hog(image, pad=pad)
    assert dense.shape[:2] == (size[0] + 8 * (cells - 1), size[1] + 8 * (cells - 1))
    rows, cols = range(0, size[0], 6), range(0, size[1], 6)  # one descriptor centred on every sixth pixel
    assert descriptors.shape == (len(rows) * len(cols), length)
    for n, (y, x) in enumerate((y, x) for y in rows for x in cols):
        parts = [dense[y + 8 * a, x + 8 * b] for b in range(cells) for a in range(cells)]
        np.testing.assert_array_equal(descriptors[n], np.concatenate(parts))
        assert tuple(positions[n]) == (y + 0.5, x + 0.5)


def test_batches_equal_single_images() -> None:
    batch = np.stack([picture(44, 50, seed=s) for s in range(3)])
    before = batch.copy()
    together, _ = stacked_hog(batch)
    for image, descriptors in zip(batch, together, strict=True):
        np.testing.assert_array_equal(stacked_hog(image)[0], descriptors)
    np.testing.assert_array_equal(stacked_hog(batch)[0], together)
    np.testing.assert_array_equal(dense_hog(batch)[1], dense_hog(batch[1]))
    np.testing.assert_array_equal(batch, before)
    np.testing.assert_array_equal(stacked_hog(batch[:, :, ::-1][:, :, ::-1])[0], together)  # not contiguous


def test_uniform_image_is_zero() -> None:
    descriptors, _ = stacked_hog(np.full((40, 40, 3), 200, dtype=np.uint8))
    assert not descriptors.any()


def test_values_are_in_their_range() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    result = dense_hog(noise)
    assert result.min() >= 0
    assert result[..., :27].max() <= 0.4 + 1e-6
    assert result[..., 27:].max() <= 0.2357 * 18 * 0.2 + 1e-6


@pytest.mark.parametrize(
    "image",
    [np.zeros((40, 40, 3)), np.zeros((40, 40), np.uint8), np.zeros((40, 40, 4), np.uint8), np.zeros(3, np.uint8)],
)
def test_arrays_that_are_not_images_are_refused(image: npt.NDArray[np.generic]) -> None:
    with pytest.raises(BadInput, match="expected uint8 images"):
        stacked_hog(image)


def test_too_small_an_image_is_refused_with_its_size() -> None:
    assert dense_hog(np.zeros((33, 33, 3), np.uint8)).shape == (1, 1, 31)
    with pytest.raises(BadInput, match=r"33 x 32 px is too small.*at least 33 px"):
        dense_hog(np.zeros((33, 32, 3), np.uint8))
    with pytest.raises(BadInput, match="0 x 9 px is too small"):
        stacked_hog(np.zeros((0, 9, 3), np.uint8))


@pytest.mark.parametrize("bad", [{"cell": 1}, {"cells": 0}, {"step": 0}, {"pad": -1}])
def test_invalid_parameters_are_named(bad: dict[str, int]) -> None:
    parameters = {"cell": 8, "cells": 2, "step": 6, "pad": 20} | bad
    with pytest.raises(BadInput, match=next(iter(bad))):
        make_grid(50, 50, **parameters)
