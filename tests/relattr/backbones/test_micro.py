"""`micro`: AlexNet's layers; learns simple shapes in seconds, reproducibly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open

from relattr.backbones import micro_net, names
from relattr.backbones.backbone import Backbone
from relattr.backbones.extraction import deep_features
from relattr.backbones.micro import pretrained_micro
from relattr.backbones.weights import PretrainedWeights
from relattr.errors import BadInput


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def bars(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bars of four orientations and two colours at random positions on noise: eight classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 8, n)
    y, x = np.mgrid[:64, :64]
    images = rng.normal(110, 25, (n, 64, 64, 3))
    for image, which in zip(images, classes, strict=True):
        angle, (cx, cy) = np.pi / 4 * (which % 4), rng.uniform(20, 44, 2)
        along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        image[(abs(along) < 16) & (abs(across) < 3)] += ((110, 0, -60), (-60, 0, 110))[which // 4]
    return np.clip(images, 0, 255).astype(np.uint8), classes


def equal_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


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


def test_pretraining_generalises():
    images, classes = bars(800)
    weights = micro_net.pretrain(images, classes, seed=0, epochs=6)
    net = micro_net.MicroNet(8)
    net.load_state_dict(weights)
    assert micro_net.top1_accuracy(net, *bars(200, seed=1)) > 0.6  # chance is 0.125


def test_pretraining_is_reproducible_and_isolated():
    images, classes = bars(100)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = micro_net.pretrain(images, classes, seed=3, epochs=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert equal_weights(first, micro_net.pretrain(images, classes, seed=3, epochs=1))
    assert not equal_weights(first, micro_net.pretrain(images, classes, seed=4, epochs=1))


def test_progress_counts_steps():
    images, classes = bars(130)
    seen: list[int] = []
    micro_net.pretrain(images, classes, seed=0, epochs=2, progress=seen.append)
    assert sum(seen) == micro_net.n_steps(130, 2) == 6


@pytest.mark.parametrize(
    ("images", "classes", "message"),
    [
        (np.zeros((4, 32, 32, 3), np.uint8), np.arange(4), r"\(n, 64, 64, 3\) uint8"),
        (np.zeros((4, 64, 64, 3), np.float32), np.arange(4), "uint8"),
        (np.zeros((4, 64, 64, 3), np.uint8), np.arange(3), r"classes must be \(4,\) integers"),
        (np.zeros((4, 64, 64, 3), np.uint8), np.zeros(4), "integers"),
        (np.zeros((4, 64, 64, 3), np.uint8), np.zeros(4, int), "at least two classes"),
        (np.zeros((4, 64, 64, 3), np.uint8), np.arange(4) - 1, "numbered from 0"),
    ],
)
def test_invalid_training_sets_are_refused(images, classes, message):
    with pytest.raises(BadInput, match=message):
        micro_net.pretrain(images, classes, seed=0)


def test_weights_are_trained_once_and_then_loaded(cache, monkeypatch):
    monkeypatch.setattr(micro_net, "EPOCHS", 1)
    calls = []

    def draw() -> tuple[np.ndarray, np.ndarray]:
        calls.append(1)
        return bars(120)

    names.register_backbone("micro-test", **pretrained_micro(draw, "bars 120"))
    try:
        fingerprint = PretrainedWeights("micro-test").fingerprint()
        assert PretrainedWeights("micro-test").missing() is None
        assert not calls  # planning neither generates images nor trains
        first = Backbone.create("micro-test")
        again = Backbone.create("micro-test")
        assert len(calls) == 1
        assert equal_weights(first.net.state_dict(), again.net.state_dict())
        assert first.fingerprint == fingerprint == PretrainedWeights("micro-test").fingerprint()
        assert (first.input_size, first.default_layer) == (64, "fc7")

        (file,) = (cache / "weights").glob("*.safetensors")
        with safe_open(file, "pt") as stored:
            assert 0 <= float(stored.metadata()["held_out_accuracy"]) <= 1
            assert stored.metadata()["trained_on"] == "108"
        file.write_bytes(file.read_bytes()[:1000])  # damaged: trained again, with the same result
        assert equal_weights(first.net.state_dict(), Backbone.create("micro-test").net.state_dict())
        assert len(calls) == 2

        features = deep_features([bars(1)[0][0], np.zeros((100, 150, 3), np.uint8)], "micro-test", "fc6")
        assert features.shape == (2, 256)
        untrained = Backbone.create("micro-test", pretrained=False)
        assert not equal_weights(untrained.net.state_dict(), first.net.state_dict())
    finally:
        names.unregister_backbone("micro-test")


def test_the_fingerprint_depends_on_key_and_seed():
    fingerprints = {
        pretrained_micro(bars, key, seed=seed)["fingerprint"]()  # type: ignore[arg-type]
        for key, seed in (("a", 0), ("b", 0), ("a", 1))
    }
    assert len(fingerprints) == 3


def test_registering_imports_no_torch():
    code = (
        "import sys; from relattr.backbones.micro import pretrained_micro;"
        "pretrained_micro(lambda: None, 'key')['fingerprint']();"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
