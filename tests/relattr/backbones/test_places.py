"""Features of places compared with loops over the cells of a feature map; the layer that the map is taken from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from relattr import BadInput, Images
from relattr.backbones import names
from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import deep_features
from relattr.backbones.places import CropPlaces, MapPlaces, layer_of_stride

PREPROCESSING = names.Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


class TwoLayers(nn.Module):
    """A network of stride 8 for inputs of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 5, 4, stride=4), nn.ReLU(), nn.Conv2d(5, 7, 3, stride=2, padding=1), nn.ReLU()
        )
        self.classifier = nn.Linear(7, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def build() -> nn.Module:
    torch.manual_seed(3)
    return TwoLayers()


@pytest.fixture(autouse=True)
def two_layers():
    names.register_backbone(
        "two-layers", build=build, untrained=build, fingerprint=lambda: "two-layers", preprocessing=PREPROCESSING
    )
    yield
    names.unregister_backbone("two-layers")


def some_images(n: int = 3) -> Images:
    rng = np.random.default_rng(0)
    return Images.from_arrays([rng.integers(0, 256, (50, 60, 3), dtype=np.uint8) for _ in range(n)])


def feature_map(image: np.ndarray, side: int) -> np.ndarray:
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
    if side != 50:
        pixels = nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True, align_corners=False)
    x = (pixels.float() / 255 - 0.5) / 0.25
    with torch.no_grad():
        return Backbone.create("two-layers").conv_features(x)[0].numpy()


def test_each_place_is_the_mean_over_its_parts():
    grid = MapPlaces("two-layers", (0.5, 0.25), layer="features", input_size=64)  # 4 x 4, or 2 x 2, of 8 x 8 cells
    images = some_images()
    maps = grid.load(images)
    boxes = [(0, 0, 8, 8)]
    boxes += [(x, y, x + 4, y + 4) for y in range(5) for x in range(5)]
    boxes += [(x, y, x + 2, y + 2) for y in range(7) for x in range(7)]
    np.testing.assert_array_equal(grid.boxes, np.array(boxes, np.float32) / 8)
    for k in range(3):
        cells = feature_map(images[k], 64)
        for place, (x0, y0, x1, _) in enumerate(boxes):
            half = (x1 - x0) // 2
            slow = []
            for channel in range(7):
                for y in (y0, y0 + half):
                    for x in (x0, x0 + half):
                        part = [cells[channel, y + i, x + j] for i in range(half) for j in range(half)]
                        slow.append(sum(part) / len(part))
            np.testing.assert_allclose(grid.features(maps, place)[k], slow / np.linalg.norm(slow), atol=2e-5)


def test_layer_is_the_last_that_is_fine_enough():
    network = Backbone.create("two-layers")
    assert layer_of_stride(network, 64, stride=8) == "features"
    assert layer_of_stride(network, 64, stride=4) == "features.1"
    with pytest.raises(BadInput, match="no map of 48 x 48 cells"):
        layer_of_stride(network, 64, stride=1)


@pytest.mark.parametrize("step", range(1, 8))
@pytest.mark.parametrize("size", [0.25, 0.5, 0.75])
def test_places_are_spaced_evenly_and_symmetric(step, size):
    boxes = MapPlaces("two-layers", (size,), input_size=64, step=step).boxes[1:]
    starts = sorted({round(8 * float(x)) for x in boxes[:, 0]})
    last = 8 - round(8 * size)
    assert (starts[0], starts[-1]) == (0, last)
    assert [last - start for start in reversed(starts)] == starts
    distances = np.diff(starts)
    assert distances.max() <= step
    assert distances.max() - distances.min() <= 1
    assert len(boxes) == len(starts) ** 2


def test_whole_image_is_seen_at_twice_the_input_size_by_default():
    assert MapPlaces("two-layers", (0.5,)).input_size == 128


@pytest.mark.parametrize(("size", "cells"), [(0.01, 0), (0.99, 28)])
def test_crops_of_no_cell_or_of_all_are_refused(size, cells):
    with pytest.raises(BadInput, match=f"has {cells} of 28 cells"):
        CropPlaces("two-layers", (size,))


def test_mirrored_places_are_places():
    grid = MapPlaces("two-layers", (0.25, 0.5), input_size=64, step=2)
    mirrored = grid.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
    np.testing.assert_array_equal(grid.boxes[grid.mirrored], mirrored)


def test_crops_are_seen_one_by_one():
    grid = CropPlaces("two-layers", (0.5, 0.25), crop_size=32, step=14)
    images = some_images()
    loaded = grid.load(images)
    starts = {14: (0, 14), 7: (0, 7, 14, 21)}  # in 28ths, for either size
    squares = [(x, y, side) for side in (14, 7) for y in starts[side] for x in starts[side]]
    assert grid.squares == [(0, 0, 28), *squares]
    for place, (x, y, side) in enumerate(squares, 1):
        slow = []
        for k in range(len(images)):
            height, width = images[k].shape[:2]
            rows = slice(round(y / 28 * height), round((y + side) / 28 * height))
            columns = slice(round(x / 28 * width), round((x + side) / 28 * width))
            slow.append(images[k][rows, columns])
        expected = deep_features(slow, "two-layers", crop="resize", input_size=32)
        np.testing.assert_allclose(grid.features(loaded, place), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((), {}, "sizes of places"),
        ((1.0,), {}, "sizes of places"),
        ((0.5,), {"parts": 0}, "at least 1"),
        ((0.99,), {"input_size": 64}, "has 8 of 8 cells"),
        ((0.1,), {"input_size": 64}, "has 1 of 8 cells"),
        ((0.5,), {"layer": "classifier"}, "not a square map"),
    ],
)
def test_impossible_grids_are_refused(sizes, options, message):
    with pytest.raises(BadInput, match=message):
        MapPlaces("two-layers", sizes, **options)
