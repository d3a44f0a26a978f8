"""GIST against a translation of the released MATLAB code, step by step in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.features.gist import DIMENSIONS, gist

Array = NDArray[np.float64]


def pictures(n: int, height: int = 256, width: int = 256, seed: int = 0) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng([seed, height, width])
    y, x = np.mgrid[:height, :width]
    images = []
    for _ in range(n):
        image = 110 + 50 * np.sin(x * rng.uniform(0.05, 1) + y * rng.uniform(-1, 1))[..., None] * rng.uniform(0, 1, 3)
        image += rng.normal(0, 10, image.shape)
        image[height // 3 :, : width // 2] += rng.uniform(-80, 80, 3)
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images


def resize_axis(grey: Array, new: int, axis: int) -> Array:
    """Resize one axis with a triangle filter as wide as a pixel of the larger scale, pixel by pixel."""
    old = grey.shape[axis]
    scale = old / new
    out = []
    for k in range(new):
        centre, reach = (k + 0.5) * scale, max(scale, 1.0)
        weights = [max(0.0, 1 - abs(j + 0.5 - centre) / reach) for j in range(old)]
        total = sum(weights)
        out.append(sum(w / total * np.take(grey, j, axis) for j, w in enumerate(weights) if w))
    return np.stack(out, axis)


def mirror_pad(image: Array, pad: int) -> Array:
    return np.pad(image, pad, mode="symmetric")


def lmgist(image: NDArray[np.uint8]) -> Array:
    grey = image.astype(float).mean(2)
    scaling = max(256 / grey.shape[0], 256 / grey.shape[1])
    size = [math.floor(side * scaling + 0.5) for side in grey.shape]
    for axis in (0, 1):
        grey = resize_axis(grey, size[axis], axis)
    top, left = (size[0] - 256) // 2, (size[1] - 256) // 2
    grey = grey[top : top + 256, left : left + 256]
    grey = grey - grey.min()
    grey = 255 * grey / grey.max()
    # prefilt
    w, fc = 5, 4
    s1 = fc / math.sqrt(math.log(2))
    log = mirror_pad(np.log(grey + 1), w)
    n = log.shape[0]
    fx, fy = np.meshgrid(np.arange(-n // 2, n // 2), np.arange(-n // 2, n // 2))
    gf = np.fft.fftshift(np.exp(-(fx**2 + fy**2) / s1**2))
    output = log - np.real(np.fft.ifft2(np.fft.fft2(log) * gf))
    localstd = np.sqrt(np.abs(np.fft.ifft2(np.fft.fft2(output**2) * gf)))
    output = (output / (0.2 + localstd))[w:-w, w:-w]
    # createGabor, gistGabor
    be, side = 32, 256 + 64
    fx, fy = np.meshgrid(np.arange(-side / 2, side / 2), np.arange(-side / 2, side / 2))
    fr, t = np.fft.fftshift(np.hypot(fx, fy)), np.fft.fftshift(np.angle(fx + 1j * fy))
    spectrum = np.fft.fft2(mirror_pad(output, be))
    features: list[float] = []
    for scale in range(4):
        for j in range(8):
            param = (0.35, 0.3 / 1.85**scale, 16 * 8**2 / 32**2, math.pi / 8 * j)
            tr = t + param[3]
            tr = tr + 2 * math.pi * (tr < -math.pi) - 2 * math.pi * (tr > math.pi)
            g = np.exp(-10 * param[0] * (fr / side / param[1] - 1) ** 2 - 2 * param[2] * math.pi * tr**2)
            ig = np.abs(np.fft.ifft2(spectrum * g))[be:-be, be:-be]
            blocks = [[ig[64 * a : 64 * a + 64, 64 * b : 64 * b + 64].mean() for b in range(4)] for a in range(4)]
            features += [blocks[a][b] for b in range(4) for a in range(4)]  # MATLAB reads columns first
    return np.array(features)


@pytest.mark.parametrize("size", [(256, 256), (300, 283), (120, 200)])
def test_equals_the_released_code(size: tuple[int, int]) -> None:
    (image,) = pictures(1, *size)
    features, expected = gist([image])[0], lmgist(image)
    assert features.shape == expected.shape == (512,)
    np.testing.assert_allclose(features, expected, rtol=2e-3, atol=2e-5)
    assert np.corrcoef(features, expected)[0, 1] > 0.999999


def test_stripes_excite_the_filter_of_their_direction() -> None:
    x = np.arange(256)
    vertical = np.repeat((127 + 100 * np.sin(2 * np.pi * 0.3 * x))[None, :, None], 256, 0).repeat(3, 2).astype(np.uint8)
    energy = gist([vertical, vertical.transpose(1, 0, 2)])[:, : 8 * 16].reshape(2, 8, 16).mean(2)
    assert energy.argmax(1).tolist() == [0, 4]  # the finest scale; 90 degrees are four of the eight orientations


def test_grey_uniform_and_tiny_images_are_finite() -> None:
    grey = pictures(1)[0][:, :, 0]
    same: list[Any] = [grey, np.stack([grey] * 3, axis=2)]
    np.testing.assert_array_equal(*gist(same))
    flat = gist([np.full((40, 300, 3), 77, np.uint8), np.zeros((1, 1, 3), np.uint8), pictures(1, 3, 2)[0]])
    assert np.isfinite(flat).all()
    assert (flat[:2] == 0).all()


def test_features_do_not_depend_on_other_images() -> None:
    images = [*pictures(2), *pictures(1, 90, 260)]
    done: list[int] = []
    together = gist(images, done.append)
    assert done == [1, 1, 1]
    np.testing.assert_array_equal(gist(images[::-1])[::-1], together)
    np.testing.assert_array_equal(gist(images[2:])[0], together[2])
    assert gist([]).shape == (0, DIMENSIONS)


def test_invalid_images_are_named() -> None:
    with pytest.raises(BadInput, match=r"GIST: image 1 is float64 of shape \(4, 4, 3\)"):
        gist([pictures(1)[0], np.zeros((4, 4, 3))])  # type: ignore[list-item]
