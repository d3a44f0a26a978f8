"""The script that pretrains `micro` learns simple shapes, reproducibly, and writes half precision."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from relattr.backbones.micro_net import MicroNet
from relattr.errors import BadInput

_SPEC = importlib.util.spec_from_file_location(
    "pretrain_micro", Path(__file__).parents[2] / "tools" / "pretrain_micro.py"
)
pretrain_micro = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(pretrain_micro)


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


def test_pretraining_generalises():
    images, classes = bars(600)
    weights = pretrain_micro.pretrain(images, classes, seed=0, epochs=5)
    net = MicroNet(8)
    net.load_state_dict(weights)
    assert pretrain_micro.top1_accuracy(net, *bars(200, seed=1)) > 0.6  # chance is 0.125


def test_pretraining_is_reproducible_and_isolated():
    images, classes = bars(100)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = pretrain_micro.pretrain(images, classes, seed=3, epochs=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert equal_weights(first, pretrain_micro.pretrain(images, classes, seed=3, epochs=1))
    assert not equal_weights(first, pretrain_micro.pretrain(images, classes, seed=4, epochs=1))


def test_progress_counts_steps():
    images, classes = bars(130)
    seen: list[int] = []
    pretrain_micro.pretrain(images, classes, seed=0, epochs=2, progress=seen.append)
    assert sum(seen) == pretrain_micro.n_steps(130, 2) == 6


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
        pretrain_micro.pretrain(images, classes, seed=0)


def test_rounding_halves_the_size_and_keeps_three_digits():
    torch.manual_seed(0)
    weights = MicroNet(4).state_dict()
    rounded = pretrain_micro.round_weights(weights)
    assert all(value.dtype == torch.float16 for value in rounded.values())
    assert all(torch.allclose(rounded[name].float(), value, rtol=1e-3, atol=1e-6) for name, value in weights.items())
