"""Features of places compared with loops over the cells of a feature map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from relattr import BadInput, Images
from relattr.backbones import names
from relattr.backbones.backbone import Backbone
from relattr.backbones.places import PlaceGrid

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
def two_layers(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path))
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


def test_each_place_is_the_mean_over_its_cells():
    grid = PlaceGrid("two-layers", (0.5, 0.25), 16)  # a place is 2 x 2 cells of 4 x 4, or of 8 x 8
    images = some_images()
    features = grid.features(images)
    expected_boxes = [(0.0, 0.0, 1.0, 1.0)]
    for cells in (4, 8):
        for row in range(cells - 1):
            for column in range(cells - 1):
                expected_boxes.append(tuple(part / cells for part in (column, row, column + 2, row + 2)))
    np.testing.assert_array_equal(grid.boxes, np.array(expected_boxes, np.float32))
    assert features.shape == (3, 1 + 9 + 49, 7)
    for k in range(3):
        slow = [feature_map(images[k], 16).mean((1, 2))]
        for side in (32, 64):
            cells = feature_map(images[k], side)
            for row in range(side // 8 - 1):
                for column in range(side // 8 - 1):
                    slow.append(sum(cells[:, row + i, column + j] for i in (0, 1) for j in (0, 1)) / 4)
        slow = [one / np.linalg.norm(one) for one in slow]
        np.testing.assert_allclose(features[k], slow, atol=2e-5)


def test_step_leaves_places_out_but_none_at_the_border():
    boxes = PlaceGrid("two-layers", (0.25,), 16, step=4).boxes[1:]
    assert sorted({float(x) for x in boxes[:, 0]}) == [0.0, 0.5, 0.75]
    assert len(boxes) == 9


def test_features_are_computed_once_per_image(monkeypatch):
    grid, images = PlaceGrid("two-layers", (0.5,), 16), some_images()
    first = grid.features(images)
    monkeypatch.setattr("relattr.backbones.places.PlaceExtractor.__call__", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(grid.features(images.subset(np.array([2, 0]))), first[[2, 0]])


@pytest.mark.parametrize(
    ("sizes", "resolution", "message"),
    [((), 16, "sizes of places"), ((1.0,), 16, "sizes of places"), ((0.5,), 0, "at least 1"), ((0.9,), 16, "whole")],
)
def test_impossible_grids_are_refused(sizes, resolution, message):
    with pytest.raises(BadInput, match=message):
        PlaceGrid("two-layers", sizes, resolution)
