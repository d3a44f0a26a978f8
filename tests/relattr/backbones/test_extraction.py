"""Deep features: preprocessing equals torchvision's, optimised equals original inference, options take effect."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import FeatureExtractor, cached_deep_features, deep_features
from relattr.backbones.inference import has_bf16, optimised_forward
from relattr.backbones.names import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from relattr.backbones.preprocess import crop_views, normalise_pixels
from relattr.errors import BadInput, UnknownName
from relattr.images import Images
from relattr.system.malloc import retain_freed_memory

SIZES = [(256, 256), (300, 200), (97, 160), (256, 256), (224, 500)]


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "cache"))


def smooth(height: int, width: int, seed: int) -> np.ndarray:
    """An image that resembles a photograph: upscaled coarse noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [smooth(height, width, k) for k, (height, width) in enumerate(SIZES)]


def fresh(name: str) -> Backbone:
    torch.manual_seed(0)
    return Backbone.create(name, pretrained=False)


def relative(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("bicubic", [False, True])
def test_central_crop_equals_torchvision(images, bicubic):
    preprocessing = Preprocessing(bicubic=bicubic)
    mode = transforms.InterpolationMode.BICUBIC if bicubic else transforms.InterpolationMode.BILINEAR
    peer = transforms.Compose(
        [
            transforms.Resize(256, mode),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    expected = torch.stack([peer(Image.fromarray(image)) for image in images])
    actual = normalise_pixels(crop_views(images, preprocessing, "center"), preprocessing)
    assert actual.shape == (5, 3, 224, 224)
    level = 1 / 255 / min(IMAGENET_STD)
    assert (actual - expected).abs().max() < 1.01 * level * (1 if not bicubic else 2)
    assert (actual - expected).abs().mean() < 0.05 * level
    torch.testing.assert_close(actual[0], expected[0])  # at 256 x 256 nothing is resized


def test_resize_takes_the_whole_image(images):
    preprocessing = Preprocessing(input_size=64, resize=64)
    expected = np.stack([np.asarray(transforms.Resize((64, 64))(Image.fromarray(image))) for image in images])
    actual = crop_views(images, preprocessing, "resize").permute(0, 2, 3, 1).numpy()
    assert np.abs(actual.astype(int) - expected).max() <= 1


def test_ten_crops_equal_torchvision(images):
    preprocessing = Preprocessing(input_size=224, resize=256)
    actual = crop_views(images, preprocessing, "ten").unflatten(0, (len(images), 10))
    for k, image in enumerate(images):
        crops = transforms.TenCrop(224)(transforms.Resize(256)(Image.fromarray(image)))
        expected = np.stack([np.asarray(crop) for crop in crops])
        assert np.abs(actual[k].permute(0, 2, 3, 1).numpy().astype(int) - expected).max() <= 1


def test_caffe_networks_take_bgr_from_0_to_255():
    from relattr.backbones.caffenet import PREPROCESSING

    pixel = np.zeros((256, 256, 3), np.uint8)
    pixel[:] = (10, 20, 30)
    actual = normalise_pixels(crop_views([pixel], PREPROCESSING, "center"), PREPROCESSING)
    assert actual.shape == (1, 3, 227, 227)
    torch.testing.assert_close(actual[0, :, 0, 0], torch.tensor([30.0 - 104, 20 - 117, 10 - 123]), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        pytest.param("alexnet", ["fc7", "classifier.1", "features.3"], marks=pytest.mark.slow),
        ("squeezenet1_0", ["pooled", "pool10", "conv"]),
        ("caffenet", ["fc7"]),
        ("resnet18", ["pooled", "layer3", "layer2.0.conv1"]),
        pytest.param("googlenet", ["pooled"], marks=pytest.mark.slow),
        ("vit_tiny_patch16_224", ["pooled", "conv"]),
    ],
)
def test_optimised_equals_original_inference(name, layers):
    for layer in layers:
        backbone = fresh(name)
        for module in backbone.modules():  # nontrivial statistics, so that folding has an effect
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
        size = backbone.input_size
        x = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(5))
        with torch.inference_mode():
            expected = backbone.forward_features(x, layer)
            run = optimised_forward(
                backbone, layer, dtype=torch.float32, device=torch.device("cpu"), batch_size=2, input_size=size
            )
            actual = run(x)
        assert type(run.net).__name__ == "GraphModule", "the network was not optimised"
        assert actual.shape == expected.shape
        assert relative(actual.numpy(), expected.numpy()) < 1e-5


class Untraceable(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.mean() > 100:  # data-dependent control flow
            x = x - 1
        return self.head(self.conv(x).relu().mean((2, 3)))


def test_a_network_that_cannot_be_traced_runs_unoptimised(images):
    torch.manual_seed(0)
    backbone = Backbone(Untraceable(), "untraceable", Preprocessing(input_size=32, resize=32)).eval()
    with torch.inference_mode():
        x = normalise_pixels(crop_views(images, backbone.preprocessing, "center"), backbone.preprocessing)
        expected = backbone.forward_features(x, "pooled").numpy()
    extractor = FeatureExtractor(backbone, "pooled", normalise="none")
    assert type(extractor._forward.net).__name__ == "_Original"
    assert relative(extractor(images), expected) < 1e-6


def test_features_equal_one_image_at_a_time(images):
    expected = []
    backbone = fresh("alexnet")
    with torch.no_grad():
        for image in images:
            x = normalise_pixels(crop_views([image], backbone.preprocessing, "center"), backbone.preprocessing)
            row = backbone.forward_features(x, "fc6").numpy()[0]
            expected.append(row / np.linalg.norm(row))
    seen: list[int] = []
    actual = deep_features(images, fresh("alexnet"), "fc6", batch_size=2, progress=seen.append)
    assert actual.shape == (5, 4096)
    assert actual.dtype == np.float32
    assert relative(actual, np.stack(expected)) < 1e-5
    assert sum(seen) == len(images)
    np.testing.assert_allclose(np.linalg.norm(actual, axis=1), 1, rtol=1e-5)


def test_ten_crop_features_are_the_mean_over_the_crops(images):
    backbone = fresh("squeezenet1_0")
    with torch.no_grad():
        x = normalise_pixels(crop_views(images[:2], backbone.preprocessing, "ten"), backbone.preprocessing)
        expected = backbone.forward_features(x).numpy().reshape(2, 10, 512).mean(1)
    actual = deep_features(images[:2], fresh("squeezenet1_0"), crop="ten", batch_size=10, normalise="none")
    assert relative(actual, expected) < 1e-5


def test_maps_are_flattened_and_zeros_stay_zero(images):
    backbone = fresh("squeezenet1_0")
    actual = deep_features(images[:1], backbone, "conv", input_size=64)
    assert actual.shape == (1, 512 * 3 * 3)
    backbone = fresh("squeezenet1_0")
    with torch.no_grad():
        for parameter in backbone.net.features[12].parameters():
            parameter.zero_()
    zeros = deep_features(images[:1], backbone)
    assert not zeros.any()


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_0"])
def test_bf16_is_within_a_hundredth(images, name):
    # 64 px, since bf16 is very slow without native support
    fp32 = deep_features(images, fresh(name), input_size=64, normalise="none")
    bf16 = deep_features(images, fresh(name), input_size=64, precision="bf16", normalise="none")
    assert 0 < relative(bf16, fp32) < 1e-2


@pytest.mark.parametrize("native", [False, True])
def test_precision_does_not_follow_the_hardware(monkeypatch, native):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert has_bf16("cpu") is native
    extractor = FeatureExtractor(fresh("squeezenet1_0"), input_size=64)
    assert extractor.spec.precision == "fp32"
    assert {value.dtype for value in extractor._forward.state_dict().values()} <= {torch.float32}


def test_the_key_depends_on_every_option():
    spec = FeatureExtractor(fresh("squeezenet1_0"), input_size=64).spec
    others = [
        dataclasses.replace(spec, backbone="squeezenet1_1"),
        dataclasses.replace(spec, layer="pool10"),
        dataclasses.replace(spec, crop="ten"),
        dataclasses.replace(spec, normalise="none"),
        dataclasses.replace(spec, precision="bf16"),
        dataclasses.replace(spec, weights="other"),
        *(
            dataclasses.replace(spec, preprocessing=dataclasses.replace(spec.preprocessing, **change))
            for change in (
                {"input_size": 65},
                {"resize": 80},
                {"bgr": True},
                {"bicubic": True},
                {"mean": (0.0, 0.1, 0.2)},
            )
        ),
    ]
    keys = [spec.key(), *(other.key() for other in others)]
    assert len(set(keys)) == len(keys)
    assert "untrained" in spec.key()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "fp16"}, "precision must be one of fp32, bf16; got 'fp16'"),
        ({"crop": "middle"}, "crop must be one of"),
        ({"normalise": "l1"}, "normalise must be one of"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"input_size": 224, "resize": 200}, "input_size must be from 1 to resize"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(BadInput, match=message):
        FeatureExtractor(fresh("squeezenet1_0"), **arguments)


def test_invalid_layers_and_images_are_refused():
    with pytest.raises(UnknownName, match="did you mean"):
        FeatureExtractor(fresh("squeezenet1_0"), "pool9")
    extractor = FeatureExtractor(fresh("squeezenet1_0"), input_size=64)
    for bad in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(BadInput, match=r"image 0 is .* expected uint8 \(height, width, 3\)"):
            extractor([bad])
    assert extractor([]).shape == (0, 512)


def test_threads_and_the_generator_are_unchanged(images):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    backbone = Backbone(Untraceable(), "u", Preprocessing(input_size=32, resize=32)).eval()
    state = torch.get_rng_state()
    deep_features(images, backbone)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_retaining_memory_works_without_glibc(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    with retain_freed_memory():
        assert np.ones(1 << 20).sum() == 1 << 20
    monkeypatch.undo()
    with retain_freed_memory(), retain_freed_memory(False):
        assert np.ones(1 << 20).sum() == 1 << 20


def test_cached_features_are_computed_once(images, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path))
    save_file(fresh("squeezenet1_0").net.state_dict(), tmp_path / "squeezenet1_0.safetensors")
    collection = Images.from_arrays(images)
    first = cached_deep_features(collection, "squeezenet1_0")
    monkeypatch.setattr(FeatureExtractor, "__call__", lambda *_, **__: pytest.fail("computed again"))
    again = cached_deep_features(collection.subset([3, 1]), "squeezenet1_0", "pooled")
    np.testing.assert_array_equal(again, first[[3, 1]])


REAL = Path(os.environ.get("RELATTR_WEIGHTS", "")) / "squeezenet1_0.safetensors"


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_file(), reason="NO REAL WEIGHTS: RELATTR_WEIGHTS has no squeezenet1_0.safetensors")
def test_the_real_squeezenet_classifies_photographs():
    from skimage import data

    backbone = Backbone.create("squeezenet1_0")
    assert backbone.feature_dim() == 512
    # classes of ImageNet: 285 is Egyptian cat, 281 to 285 are cats; 968 cup, 967 espresso, 504 coffee mug
    for picture, classes in ((data.cat(), range(281, 286)), (data.coffee(), (504, 809, 967, 968, 969))):
        preprocessing = backbone.preprocessing
        with torch.inference_mode():
            scores = backbone(normalise_pixels(crop_views([picture], preprocessing, "center"), preprocessing))
        assert int(scores.argmax()) in classes
    features = deep_features([data.cat(), data.coffee()], "squeezenet1_0")
    assert features.shape == (2, 512)
    assert 0.05 < float(features[0] @ features[1]) < 0.9
