"""Crops compared with slices of the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relattr.backbones.names import Preprocessing
from relattr.backbones.preprocess import normalise_pixels
from relattr.images import Images
from relattr.training.cropping import CROP_SIDE, MULTISCALE_CROP_SIDE, Cropper, load_pixels

PREPROCESSING = Preprocessing(input_size=226, resize=256)


def pixels(n: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 256, 256), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_ten_crops_match_slices():
    x = pixels()
    result = Cropper(PREPROCESSING, 226).fixed(x, 10)
    full = normalise_pixels(x, PREPROCESSING)
    expected = [full[:, :, dy : dy + 226, dx : dx + 226] for dx, dy in ((15, 15), (0, 0), (0, 30), (30, 0), (30, 30))]
    expected = [view for one in expected for view in (one, one.flip(3))]
    assert len(result) == 10
    for one, other in zip(result, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=0)


def test_one_and_two_crops_are_the_mirrored_centre():
    x = pixels()
    one, two, ten = (Cropper(PREPROCESSING, 226).fixed(x, views) for views in (1, 2, 10))
    assert torch.equal(one[0], ten[0])
    assert [torch.equal(a, b) for a, b in zip(two, ten, strict=False)] == [True, True]


def test_distribution_of_random_crops():
    # an image whose channels hold the coordinates says where a crop was taken
    ramp = torch.arange(256, dtype=torch.uint8)
    x = torch.zeros(400, 3, 256, 256, dtype=torch.uint8)
    x[:, 0] = ramp[None, None, :]
    x[:, 1] = ramp[None, :, None]
    plain = Preprocessing(226, 256, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))
    result = Cropper(plain, 226).random(x, np.random.default_rng(0))
    left, right = result[:, 0, 0, 0], result[:, 0, 0, -1]
    top, bottom = result[:, 1, 0, 0], result[:, 1, -1, 0]
    mirrored = left > right
    assert 0.4 < mirrored.float().mean() < 0.6
    first = torch.minimum(left, right)
    torch.testing.assert_close((left - right).abs(), torch.full((400,), 225.0), atol=0.1, rtol=0)
    torch.testing.assert_close(bottom - top, torch.full((400,), 225.0), atol=0.1, rtol=0)
    for start in (first, top):
        assert 0.9 <= float(start.min()) < 3
        assert 27 < float(start.max()) <= 30.1
    assert abs(np.corrcoef(first.numpy(), top.numpy())[0, 1]) < 0.2


def test_crop_sides_match_the_papers():
    assert pytest.approx(226 / 256) == CROP_SIDE
    assert pytest.approx(0.9) == MULTISCALE_CROP_SIDE**2


def test_images_are_resized_to_one_square_tensor():
    arrays = [np.full((h, w, 3), v, np.uint8) for h, w, v in ((40, 60, 10), (64, 64, 200), (90, 30, 77))]
    seen = []
    result = load_pixels(Images.from_arrays(arrays), 32, "cpu", seen.append)
    assert result.shape == (3, 3, 32, 32)
    assert result.dtype == torch.uint8
    assert [int(image.float().mean()) for image in result] == [10, 200, 77]
    assert sum(seen) == 3
