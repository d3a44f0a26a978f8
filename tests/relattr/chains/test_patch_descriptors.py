"""Patch features: means over a map, HOG templates, and their principal components."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.backbones.names import Preprocessing
from relattr.chains.candidates import candidate_boxes
from relattr.chains.feature_maps import FeatureMapPatches, pool_weights
from relattr.chains.hog_templates import HogPatches, hog_templates
from relattr.chains.network_patches import NetworkPatches
from relattr.chains.patch_descriptor import WHOLE_IMAGE, PatchPCA, l2_normalise
from relattr.errors import BadInput
from relattr.images import Images


def pictures(n=5, seed=0, shape=(40, 56)):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, shape[0] // 8, shape[1] // 8, 3), dtype=np.uint8)
    return Images.from_arrays([np.kron(s, np.ones((8, 8, 1), np.uint8)) for s in small])


def slow_mean(image_map, box, cells, fine=240):
    """Means over the parts of a box, from samples of the map at many points."""
    height, width, channels = image_map.shape
    out = np.zeros((cells, cells, channels))
    for row in range(cells):
        for column in range(cells):
            for v in (np.arange(fine) + 0.5) / fine:
                y = box[1] + (box[3] - box[1]) * (row + v) / cells
                u = (np.arange(fine) + 0.5) / fine
                x = box[0] + (box[2] - box[0]) * (column + u) / cells
                out[row, column] += image_map[int(y * height), (x * width).astype(int)].mean(0) / fine
    return out.reshape(-1)


@pytest.mark.parametrize("cells", [1, 2, 3])
def test_pooling_is_the_mean_over_the_part(cells):
    rng = np.random.default_rng(cells)
    image_map = rng.normal(size=(6, 9, 4))
    low = rng.uniform(0, 0.6, (4, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.05, 0.4, (4, 2))], 1)
    weights = pool_weights(boxes, cells, 6, 9)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    result = (weights @ image_map.reshape(54, 4)).reshape(4, -1)
    for box, row in zip(boxes, result, strict=True):
        np.testing.assert_allclose(row, slow_mean(image_map, box, cells), atol=0.02)


def test_pooling_into_map_positions_is_the_identity():
    np.testing.assert_allclose(pool_weights(WHOLE_IMAGE, 4, 4, 4), np.eye(16), atol=1e-6)


class Tiny(nn.Module):
    """Two convolutions with the names of a backbone's layers."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.ReLU())
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator) * 0.3
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(6 * 64, 2))

    def forward(self, x):
        return self.classifier(self.features(x))


@pytest.fixture(scope="module")
def source():
    return FeatureMapPatches(Backbone(Tiny().eval(), "tiny", fingerprint="untrained"), 32, 2)


def test_map_patch_is_the_mean_of_its_positions(source):
    images = pictures(6, shape=(64, 64))
    seen = []
    maps = source.read(images, seen.append)
    assert sum(seen) == 6
    assert maps.shape == (6, 64, 6)
    boxes = candidate_boxes((16, 32), (64, 64), 0.5, 100)
    result = source.describe(maps, np.array([4, 1]), boxes)
    assert result.shape == (2, len(boxes), source.dim)
    for k, i in enumerate((4, 1)):
        for j in (0, 7, len(boxes) - 1):
            expected = slow_mean(maps[i].reshape(8, 8, 6).astype(float), boxes[j], 2)
            np.testing.assert_allclose(result[k, j], expected / np.linalg.norm(expected), atol=0.02)
    alone = source.describe(source.read(images.subset([4]), seen.append), np.array([0]), boxes)
    np.testing.assert_allclose(alone[0], result[0], atol=2e-3)  # half precision
    boxes_by_image = np.stack([boxes[[3, 5]], boxes[[8, 2]]])  # boxes of each image
    np.testing.assert_array_equal(
        source.describe(maps, np.array([4, 1]), boxes_by_image), np.stack([result[0, [3, 5]], result[1, [8, 2]]])
    )


def test_network_patches_are_passes_over_cropped_patches():
    """A patch of half the image, by slices; the last map of the network has 8 x 8 positions, averaged to 3 x 3."""
    backbone = Backbone(Tiny().eval(), "tiny", Preprocessing(32, 32), fingerprint="untrained")
    images = pictures(3, shape=(64, 64))
    source = NetworkPatches(backbone)
    boxes = np.array([[0.5, 0.0, 1.0, 0.5], [0.25, 0.5, 0.75, 1.0]])  # 32 x 32 px, the size of the input
    result = source.describe(source.read(images, lambda n: None), np.array([2, 0]), boxes)
    assert result.shape == (2, 2, source.dim) == (2, 2, 6 * 9)
    for row, i in zip(result, (2, 0), strict=True):
        for features, crop in zip(row, (images[i][:32, 32:], images[i][32:, 16:48]), strict=True):
            mean, std = (
                torch.tensor(values)[:, None, None]
                for values in (backbone.preprocessing.mean, backbone.preprocessing.std)
            )
            pixels = (torch.from_numpy(crop.copy()).permute(2, 0, 1) / 255 - mean) / std
            with torch.no_grad():
                expected = nn.functional.adaptive_avg_pool2d(backbone.net.features(pixels[None]), 3).flatten().numpy()
            np.testing.assert_allclose(features, expected / np.linalg.norm(expected), atol=1e-4)
    single = source.describe(images, np.array([2]), boxes[None, 1:])
    np.testing.assert_allclose(single[0, 0], result[0, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "layer", "shape"),
    [
        ("efficientnet_lite0", "features.13", (112, 28, 28)),
        ("alexnet", "features.11", (256, 27, 27)),
        ("caffenet", "features.relu5", (256, 27, 27)),  # its last layers take images of one size only
        ("squeezenet1_0", "conv", (512, 27, 27)),  # and not the class scores behind it, which are a map as well
    ],
)
def test_the_map_is_fine_enough_to_tell_patches_apart(backbone, layer, shape):
    network = Backbone.create(backbone, pretrained=False)
    fine = FeatureMapPatches(network, None, 1)
    assert (fine.layer, (fine.channels, fine.height, fine.width)) == (layer, shape)
    coarse = FeatureMapPatches(network, network.input_size, 1, layer="conv")
    assert coarse.height <= 14


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("vit_b_16", {}, "vit_b_16 does not take images of 448 x 448 px .*; set image_size, for example to 224"),
        (
            "swin_t",
            {},
            "swin_t has no map of 21 x 21 positions or more for images of 448 px; name a layer, such as conv",
        ),
        ("alexnet", {"layer": "fc7", "image_size": 224}, r"layer fc7 of alexnet is not a feature map .* \(4096,\)"),
    ],
)
def test_networks_without_a_fine_map_are_refused(backbone, options, message):
    network = Backbone.create(backbone, pretrained=False)
    with pytest.raises(BadInput, match=message):
        FeatureMapPatches(network, options.pop("image_size", None), 1, **options)


def test_a_map_of_tokens_is_used_where_it_is_fine_enough():
    network = Backbone.create("vit_b_16", pretrained=False)
    patches = FeatureMapPatches(network, 224, 1)
    assert (patches.layer, patches.channels, patches.height, patches.width) == ("conv", 768, 14, 14)


def test_maps_of_a_fingerprinted_network_are_cached(monkeypatch):
    images = pictures(5)
    source = FeatureMapPatches(Backbone(Tiny().eval(), "tiny", fingerprint="tiny-1"), 32, 1)
    first = source.read(images.subset([0, 1, 2]), lambda n: None)
    asked = []
    inner = source._extract.__call__
    monkeypatch.setattr(
        type(source._extract), "__call__", lambda self, part, **k: asked.append(len(part)) or inner(part)
    )
    second = source.read(images, lambda n: None)
    np.testing.assert_array_equal(second[:3], first)
    assert asked == [2]


def test_hog_templates_see_their_own_patch_only():
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    boxes = np.array([[0.0, 0.0, 0.5, 0.5], [0.5, 0.25, 1.0, 0.75]])
    templates = hog_templates(image, boxes)
    assert templates.shape == (2, HogPatches.dim)
    other = image.copy()
    other[:, :64] = 0  # nothing of the second patch, all of the first
    changed = hog_templates(other, boxes)
    np.testing.assert_array_equal(changed[1], templates[1])
    assert not np.allclose(changed[0], templates[0])
    np.testing.assert_allclose(
        hog_templates(image[:64, :64], WHOLE_IMAGE)[0], templates[0]
    )  # cut out, at the same size


def test_hog_templates_do_not_depend_on_the_image_size():
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[:, 32:] = 255
    large = np.kron(ramp, np.ones((3, 3, 1), np.uint8))
    a, b = (l2_normalise(hog_templates(image, np.array([[0.25, 0.25, 0.75, 0.75]])))[0] for image in (ramp, large))
    assert a @ b > 0.9


@pytest.mark.parametrize("threads", [1, 2])
def test_hog_patches_are_templates_of_length_one(threads):
    images = pictures(4)
    source = HogPatches(threads)
    boxes = candidate_boxes((28,), (56, 40), 1.0, 9)
    result = source.describe(source.read(images, lambda n: None), np.array([2, 0, 3]), boxes)
    for row, i in zip(result, (2, 0, 3), strict=True):
        expected = hog_templates(images[i], boxes)
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)
    flat = Images.from_arrays([np.full((30, 30, 3), 7, np.uint8)])
    assert not source.describe(flat, np.array([0]), boxes).any()


def test_components_preserve_distances():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(HogPatches.dim, 5)))[0].T

    class Flat:
        dim = HogPatches.dim

        def describe(self, maps, images, boxes):
            return (maps[images][:, None] @ directions)[:, np.zeros(len(boxes), int)].astype(np.float32)

    maps = rng.normal(size=(60, 5))
    compress = PatchPCA.fit(Flat(), maps, 60, WHOLE_IMAGE, 5, np.random.default_rng(1))
    assert compress.basis.shape == (HogPatches.dim, 5)
    np.testing.assert_allclose(compress.basis.T @ compress.basis, np.eye(5), atol=1e-4)
    rows = Flat().describe(maps, np.arange(60), WHOLE_IMAGE)
    short = compress(rows)
    assert short.shape == (60, 1, 5)
    before = np.linalg.norm(rows[0, 0] - rows[1:, 0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(short[0, 0] - short[1:, 0], axis=1), before, rtol=1e-3)


def test_short_features_are_not_compressed(source):
    images = pictures(3)
    compress = PatchPCA.fit(source, source.read(images, lambda n: None), 3, WHOLE_IMAGE, 500, np.random.default_rng(0))
    np.testing.assert_array_equal(compress.basis, np.eye(source.dim))
