"""`micro`: the layers of AlexNet, with weights that come with the dataset."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save

from relattr.backbones import micro_net, names
from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import deep_features
from relattr.backbones.micro import micro_backbone
from relattr.backbones.weights import PretrainedWeights
from relattr.errors import BadInput
from relattr.system.digests import digest_file


@pytest.fixture
def weights_file(tmp_path):
    """A file of random weights for eight classes, in half precision."""
    torch.manual_seed(0)
    path = tmp_path / "micro.safetensors"
    path.write_bytes(save({name: value.half() for name, value in micro_net.MicroNet(8).state_dict().items()}))
    return path


@pytest.fixture
def registered(weights_file):
    names.register_backbone("micro-test", **micro_backbone(weights_file, digest_file(weights_file)))
    yield "micro-test"
    names.unregister_backbone("micro-test")


def test_layers_are_those_of_alexnet():
    micro = Backbone(micro_net.MicroNet(8), "micro", names.Preprocessing(64, 64)).eval()
    with torch.device("meta"):
        alexnet = Backbone.create("alexnet", pretrained=False)
    assert set(micro.layer_names) == set(alexnet.layer_names)
    assert micro.feature_shape("pool5") == (64, 3, 3)
    assert [micro.feature_dim(layer) for layer in ("fc6", "fc7", "fc8", None)] == [256, 256, 8, 256]
    kinds = (torch.nn.Conv2d, torch.nn.Linear, torch.nn.MaxPool2d, torch.nn.ReLU)
    order = [[type(m).__name__ for m in net.modules() if isinstance(m, kinds)] for net in (micro.net, alexnet.net)]
    assert order[0] == order[1]
    assert sum(p.numel() for p in micro.parameters()) < 1_000_000


def test_weights_are_read_from_the_file(registered, weights_file):
    assert PretrainedWeights(registered).missing() is None
    backbone = Backbone.create(registered)
    assert backbone.fingerprint == PretrainedWeights(registered).fingerprint() == f"micro:{digest_file(weights_file)}"
    assert (backbone.input_size, backbone.default_layer) == (64, "fc7")
    torch.manual_seed(0)
    expected = {name: value.half().float() for name, value in micro_net.MicroNet(8).state_dict().items()}
    state = backbone.net.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    untrained = Backbone.create(registered, pretrained=False)
    assert not torch.equal(untrained.net.state_dict()["classifier.fc6.weight"], state["classifier.fc6.weight"])


def test_images_of_any_size_have_features(registered):
    images = [np.full((64, 64, 3), 90, np.uint8), np.zeros((100, 150, 3), np.uint8)]
    assert deep_features(images, registered, "fc6").shape == (2, 256)


def test_a_damaged_file_is_refused(registered, weights_file):
    content = bytearray(weights_file.read_bytes())
    content[-1] ^= 1
    weights_file.write_bytes(bytes(content))
    with pytest.raises(BadInput, match=r"micro\.safetensors is damaged: its SHA-256 is not"):
        Backbone.create(registered)


def test_a_missing_file_is_reported(registered, weights_file):
    weights_file.unlink()
    missing = PretrainedWeights(registered).missing()
    assert missing is not None
    assert str(weights_file) in missing


def test_the_shipped_weights_are_those_of_glyphs():
    from relattr.datasets.glyphs import backbone

    assert digest_file(backbone.WEIGHTS) == backbone.SHA256
    assert Backbone.create("micro").fingerprint == f"micro:{backbone.SHA256}"


def test_registering_imports_no_torch():
    code = (
        "import sys; from pathlib import Path; from relattr.backbones.micro import micro_backbone;"
        "micro_backbone(Path('micro'), '0')['fingerprint']();"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
