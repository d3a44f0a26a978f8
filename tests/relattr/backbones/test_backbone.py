"""Layers of backbones match their names, and weights that do not fit are refused by file name."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from relattr.backbones import names
from relattr.backbones.backbone import Backbone, weights_fingerprint
from relattr.backbones.caffenet import CaffeNet
from relattr.backbones.names import Preprocessing
from relattr.errors import BadInput, UnknownName


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("RELATTR_OFFLINE", "1")
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def on_meta_device(name: str) -> Backbone:
    """A backbone with meta tensors: shapes without data."""
    with torch.device("meta"):
        return Backbone.create(name, pretrained=False)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "dims", "default"),
    [
        (
            "alexnet",
            {
                "pool5": 256 * 6 * 6,
                "spatial": 9216,
                "conv/3": 256 * 9,
                "fc6": 4096,
                "fc7": 4096,
                "fc8": 1000,
                "pooled": 4096,
            },
            "fc7",
        ),
        ("vgg16", {"pool5": 512 * 7 * 7, "fc6": 4096, "fc7": 4096, "fc8": 1000, "pooled": 4096}, "fc7"),
        ("vgg11_bn", {"pool5": 512 * 7 * 7, "fc6": 4096, "fc7": 4096}, "fc7"),
        ("caffenet", {"pool5": 256 * 6 * 6, "spatial": 9216, "fc6": 4096, "fc7": 4096, "fc8": 1000}, "fc7"),
        ("squeezenet1_0", {"pooled": 512, "pool10": 1000, "conv": 512 * 13 * 13, "spatial": 512 * 9}, "pooled"),
        ("resnet50", {"pooled": 2048, "conv": 2048 * 7 * 7, "layer3": 1024 * 14 * 14, "scores": 1000}, "pooled"),
        ("densenet121", {"pooled": 1024}, "pooled"),
        ("vit_b_32", {"pooled": 768, "conv": 768 * 7 * 7, "spatial": 768 * 9}, "pooled"),
        ("timm:resnet18", {"pooled": 512, "conv": 512 * 7 * 7, "conv/2": 512 * 4}, "pooled"),
        ("vit_tiny_patch16_224", {"pooled": 192, "conv": 192 * 14 * 14}, "pooled"),
        ("swin_tiny_patch4_window7_224", {"pooled": 768, "conv": 768 * 7 * 7}, "pooled"),
    ],
)
def test_dimensions_of_layers(name, dims, default):
    backbone = on_meta_device(name)
    assert {layer: backbone.feature_dim(layer) for layer in dims} == dims
    assert backbone.default_layer == default


def test_a_map_is_averaged_over_parts_of_the_image():
    torch.manual_seed(0)
    backbone = Backbone.create("squeezenet1_0", pretrained=False)
    x = noise(2, 3, 113, 113)  # a map of 6 x 6: parts of 2 x 2 positions
    with torch.no_grad():
        whole, parts = backbone.forward_features(x, "conv"), backbone.forward_features(x, "spatial")
    assert whole.shape[2:] == (6, 6)
    for row in range(3):
        for column in range(3):
            part = whole[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            torch.testing.assert_close(parts[:, :, row, column], part.mean((2, 3)))


def test_only_maps_have_parts():
    with pytest.raises(BadInput, match="/3 needs a feature map"):
        on_meta_device("alexnet").feature_dim("fc6/3")


def test_timm_without_a_classifier_has_pooled_features():
    assert on_meta_device("vit_small_patch14_dinov2").feature_dim("pooled") == 384


def test_alexnet_layers_include_relu_but_no_dropout():
    torch.manual_seed(0)
    backbone = Backbone.create("alexnet", pretrained=False)
    net, x = backbone.net, noise(2, 3, 224, 224)
    with torch.no_grad():
        y = x
        for k, stride, padding, pooled in (
            (0, 4, 2, True),
            (3, 1, 2, True),
            (6, 1, 1, False),
            (8, 1, 1, False),
            (10, 1, 1, True),
        ):
            conv = net.features[k]
            y = functional.conv2d(y, conv.weight, conv.bias, stride=stride, padding=padding).clamp(min=0)
            y = functional.max_pool2d(y, 3, 2) if pooled else y
        fc6 = (y.flatten(1) @ net.classifier[1].weight.T + net.classifier[1].bias).clamp(min=0)
        fc7 = (fc6 @ net.classifier[4].weight.T + net.classifier[4].bias).clamp(min=0)
        fc8 = fc7 @ net.classifier[6].weight.T + net.classifier[6].bias
        for layer, expected in (("pool5", y), ("conv", y), ("fc6", fc6), ("fc7", fc7), (None, fc7), ("fc8", fc8)):
            torch.testing.assert_close(backbone.forward_features(x, layer), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(backbone.conv_features(x), y, rtol=1e-4, atol=1e-5)
        # a module path refers to the output of the module, before a subsequent in-place ReLU
        assert (backbone.forward_features(x, "classifier.4") < 0).any()
        assert (backbone.forward_features(x, "features.0") < 0).any()
    assert backbone.conv_channels == 256


def test_squeezenet_layers_are_means_over_the_image():
    torch.manual_seed(0)
    backbone = Backbone.create("squeezenet1_0", pretrained=False)
    x = noise(2, 3, 224, 224)
    with torch.no_grad():
        conv = backbone.net.features(x)
        torch.testing.assert_close(backbone.forward_features(x), conv.flatten(2).mean(2))
        torch.testing.assert_close(backbone.forward_features(x, "pool10"), backbone(x))


def test_resnet_pooled_features_enter_the_classifier():
    torch.manual_seed(0)
    backbone = Backbone.create("resnet18", pretrained=False)
    x = noise(2, 3, 96, 96)
    with torch.no_grad():
        pooled = backbone.forward_features(x)
        torch.testing.assert_close(backbone.net.fc(pooled), backbone(x))
        torch.testing.assert_close(backbone.conv_features(x).mean((2, 3)), pooled)


def test_features_can_be_trained_through():
    torch.manual_seed(0)
    backbone = Backbone.create("squeezenet1_0", pretrained=False)
    backbone.conv_features(noise(1, 3, 64, 64)).sum().backward()
    assert backbone.net.features[0].weight.grad is not None
    assert backbone.net.classifier[1].weight.grad is None  # modules after the layer were not run


def test_dimensions_leave_weights_and_mode_unchanged():
    torch.manual_seed(0)
    backbone = Backbone.create("squeezenet1_0", pretrained=False).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    parameters = list(backbone.parameters())
    backbone.feature_dim("conv")
    assert backbone.training
    assert all(a is b for a, b in zip(parameters, backbone.parameters(), strict=True))
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())


def test_caffenet_has_caffes_parameters():
    # conv: out * in / groups * side^2 + out; fully connected: out * in + out
    conv = [(96, 3, 1, 11), (256, 96, 2, 5), (384, 256, 1, 3), (384, 384, 2, 3), (256, 384, 2, 3)]
    dense = [(4096, 9216), (4096, 4096), (1000, 4096)]
    expected = sum(o * i // g * s * s + o for o, i, g, s in conv) + sum(o * i + o for o, i in dense)
    assert expected == 60_965_224
    with torch.device("meta"):
        assert sum(p.numel() for p in CaffeNet().parameters()) == expected


def test_caffenet_layers_against_plain_operations():
    torch.manual_seed(0)
    net = CaffeNet(classes=3).eval()
    x = 50 * noise(1, 3, 227, 227)
    with torch.no_grad():
        y = x
        for name, stride, padding, groups, pool, norm in (
            ("conv1", 4, 0, 1, True, True),
            ("conv2", 1, 2, 2, True, True),
            ("conv3", 1, 1, 1, False, False),
            ("conv4", 1, 1, 2, False, False),
            ("conv5", 1, 1, 2, True, False),
        ):
            conv = net.features.get_submodule(name)
            halves = [
                functional.conv2d(part, weight, bias, stride=stride, padding=padding)
                for part, weight, bias in zip(
                    y.chunk(groups, 1), conv.weight.chunk(groups), conv.bias.chunk(groups), strict=True
                )
            ]
            y = torch.cat(halves, 1).clamp(min=0)
            y = functional.max_pool2d(y, 3, 2, ceil_mode=True) if pool else y
            if norm:  # x / (1 + alpha / 5 * sum of squares of the 5 channels around) ** beta
                squares = functional.pad(y**2, (0, 0, 0, 0, 2, 2))
                around = sum(squares[:, k : k + y.shape[1]] for k in range(5))
                y = y / (1 + 1e-4 / 5 * around) ** 0.75
        assert y.shape[1:] == (256, 6, 6)
        torch.testing.assert_close(net.features(x), y, rtol=1e-4, atol=1e-4)


def test_an_unknown_layer_suggests_similar_names():
    backbone = on_meta_device("alexnet")
    with pytest.raises(UnknownName, match=r"layer of alexnet is called 'fc77'; did you mean fc7"):
        backbone.layer("fc77")
    with pytest.raises(UnknownName, match=r"'features\.99'; did you mean features\.9"):
        backbone.layer("features.99")


def test_an_unknown_backbone_suggests_similar_names():
    with pytest.raises(UnknownName, match="did you mean squeezenet1_"):
        Backbone.create("squeezenet1_O")


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


def test_a_registered_backbone_is_built_as_registered():
    names.register_backbone(
        "small-test",
        build=Small,
        fingerprint=lambda: "small:1",
        preprocessing=Preprocessing(input_size=16, resize=20),
        layers={"first": "body.0"},
    )
    try:
        backbone = Backbone.create("small-test")
        assert (backbone.input_size, backbone.fingerprint, backbone.training) == (16, "small:1", False)
        assert backbone.feature_shape("first") == (4, 14, 14)
        assert backbone.feature_dim() == 4
        assert backbone.conv_channels == 4
        assert weights_fingerprint("small-test") == "small:1"
        with pytest.raises(BadInput, match="only available with pretrained weights"):
            Backbone.create("small-test", pretrained=False)
    finally:
        names.unregister_backbone("small-test")
    with pytest.raises(BadInput, match=r"'body\.9', which does not exist"):
        Backbone(Small(), "small", layers={"first": "body.9"})


def squeezenet_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(Backbone.create("squeezenet1_0", pretrained=False).net.state_dict())


def test_weights_are_read_from_the_weights_folder(folders):
    weights = squeezenet_weights()
    save_file(weights, folders / "squeezenet1_0.safetensors")
    backbone = Backbone.create("squeezenet1_0")
    assert all(torch.equal(value, weights[key]) for key, value in backbone.net.state_dict().items())
    assert backbone.fingerprint == weights_fingerprint("squeezenet1_0")
    assert len(backbone.fingerprint) == 64


def _drop(weights):
    weights["features.0.wieght"] = weights.pop("features.0.weight")


def _reshape(weights):
    weights["classifier.1.bias"] = torch.zeros(7)


def _add(weights):
    weights["extra"] = torch.zeros(1)


def _make_nan(weights):
    weights["features.0.bias"][0] = torch.nan


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop, r"expected the key 'features\.0\.weight', which is missing; found 'features\.0\.wieght' instead"),
        (_reshape, r"'classifier\.1\.bias': expected shape \(1000,\), found \(7,\)"),
        (_add, r"found the key 'extra', which the network does not have"),
        (_make_nan, r"'features\.0\.bias': found NaN or infinity"),
    ],
)
def test_weights_that_do_not_fit_are_refused(folders, damage, message):
    weights = squeezenet_weights()
    damage(weights)
    path = folders / "squeezenet1_0.safetensors"
    save_file(weights, path)
    with pytest.raises(BadInput, match=message) as error:
        Backbone.create("squeezenet1_0")
    assert str(path) in str(error.value)


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_a_truncated_file_is_refused_by_name(folders, keep):
    path = folders / "squeezenet1_0.safetensors"
    save_file(squeezenet_weights(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match="cannot be read") as error:
        Backbone.create("squeezenet1_0")
    assert str(path) in str(error.value)


class ExecutesCode:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_pickled_code_in_a_hub_file_is_never_executed(tmp_path, monkeypatch):
    import hashlib

    from relattr.backbones.torchvision_files import FILES

    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)

    def store(content: object) -> None:
        torch.save(content, folder / "new.pth")
        digits = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()[:8]
        (folder / "new.pth").rename(folder / f"squeezenet1_0-{digits}.pth")
        monkeypatch.setitem(FILES, "squeezenet1_0", f"squeezenet1_0-{digits}.pth")

    weights = squeezenet_weights()
    store(weights)
    assert torch.equal(Backbone.create("squeezenet1_0").net.features[0].weight, weights["features.0.weight"])
    store({"features.0.weight": ExecutesCode()})
    with pytest.raises(BadInput, match="cannot be read"):
        Backbone.create("squeezenet1_0")
    store([1, 2])
    with pytest.raises(BadInput, match="does not contain a state dict"):
        Backbone.create("squeezenet1_0")


def test_timm_weights_are_read_from_the_weights_folder(folders):
    import timm

    torch.manual_seed(4)
    net = timm.create_model("convnext_atto", pretrained=False)
    path = folders / "convnext_atto.safetensors"
    save_file(net.state_dict(), path)
    loaded = Backbone.create("convnext_atto").net.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in net.state_dict().items())
    save_file({"stem.0.weight": torch.zeros(2)}, path)
    with pytest.raises(BadInput, match="does not fit") as error:
        Backbone.create("convnext_atto")
    assert str(path) in str(error.value)
