"""Networks built from an architecture: input sizes, the start of the score layer, statistics of batch normalisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from relattr import Images
from relattr.backbones import names
from relattr.networks.architecture import Architecture, build_ranker
from relattr.training.cropping import CROP_SIDE
from relattr.training.fitting import create_cropper, training_side


class PooledNet(nn.Module):
    """A network for inputs of any size, with batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.avgpool(self.features(x)).flatten(1))


def build_pooled() -> nn.Module:
    torch.manual_seed(1)
    return PooledNet()


@pytest.fixture(autouse=True)
def pooled():
    names.register_backbone(
        "pooled",
        build=build_pooled,
        untrained=build_pooled,
        fingerprint=lambda: "pooled",
        preprocessing=names.Preprocessing(64, 64),
    )
    yield
    names.unregister_backbone("pooled")


@pytest.mark.parametrize("scales", [(), (1.0,)])
def test_backbone_sees_images_and_crops_of_these_sizes(scales):
    network = build_ranker(Architecture("pooled", scales, image=0.75, crop=0.5, view=0.25), seed=0)
    seen = []
    convolutions = [network.extractor, *network.localisers]
    for module in convolutions:
        module.backbone.net.features[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[-1]))
    network([torch.zeros(2, 3, 96, 96)])
    assert sorted(seen) == ([16, 32, 48] if scales else [48])


def test_training_images_are_no_larger_than_the_network_needs():
    images = Images.from_arrays([np.zeros((120, 90, 3), np.uint8)] * 3)
    for architecture, side, size in (
        (Architecture("pooled"), 120, 64),
        (Architecture("pooled", image=0.5), round(32 / CROP_SIDE), 32),
        (Architecture("pooled", (1.0,), image=0.5), 120, round(120 * CROP_SIDE)),  # its transformer crops fine detail
    ):
        assert training_side(architecture, images) == side
        assert create_cropper(architecture, build_ranker(architecture, seed=0), side).size == size


def test_zero_score_layer_gives_every_image_the_same_strength():
    x = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    score = build_ranker(Architecture("pooled", zero_score=True), seed=0).eval()([x]).score
    assert torch.equal(score, torch.zeros(4))
    assert build_ranker(Architecture("pooled"), seed=0).eval()([x]).score.unique().numel() == 4


@pytest.mark.parametrize("hold", [True, False])
def test_held_statistics_stay_those_of_the_pretrained_network(hold):
    network = build_ranker(Architecture("pooled", hold_statistics=hold), seed=0)
    norm = network.extractor.backbone.net.features[1]
    before = norm.running_mean.clone(), norm.running_var.clone()
    network.eval()
    network.train()
    network([torch.rand(4, 3, 64, 64)]).score.sum().backward()
    assert torch.equal(norm.running_mean, before[0]) is hold
    assert torch.equal(norm.running_var, before[1]) is hold
    assert norm.weight.grad is not None  # its scale and shift are trained either way


def test_whole_image_is_left_out_at_random_in_training_only():
    network = build_ranker(Architecture("pooled", (1.0,), whole_dropout=0.3, hold_statistics=True), seed=0)
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    both = network.eval()([x]).score
    features = network.features([x])
    features[:, : network.extractor.dim] = 0
    crop_only = network.score_features(features)
    assert not torch.allclose(both, crop_only)
    assert all(torch.equal(network([x]).score, both) for _ in range(20))
    network.train()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        scores = [network([x]).score for _ in range(400)]
    dropped = [torch.allclose(score, crop_only) for score in scores]
    assert all(torch.allclose(score, both) for score, without in zip(scores, dropped, strict=True) if not without)
    assert 0.3 * 400 - 4 * 9.2 < sum(dropped) < 0.3 * 400 + 4 * 9.2  # the standard deviation is 9.2


def test_only_input_is_never_left_out():
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for scales, whole in (((), True), ((1.0,), False)):
        architecture = Architecture("pooled", scales, whole_dropout=0.9, hold_statistics=True)
        network = build_ranker(architecture, whole=whole, seed=0)
        expected = network.eval()([x]).score
        network.train()
        assert all(torch.allclose(network([x]).score, expected) for _ in range(20))
