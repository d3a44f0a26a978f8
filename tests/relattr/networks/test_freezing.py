"""Frozen layers keep their weights and their batch statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from relattr.networks.classifier import Classifier
from relattr.networks.freezing import drop_unused_parameters, freeze_first_layers
from relattr.networks.ranker import Ranker
from relattr.networks.scoring import Extractor


class Normalised(nn.Module):
    """Two convolutions, each with batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU()
        )


class Seen(Extractor):
    """An extractor on `Normalised` that does not look up layers by name."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.net, self.dim, self.standardise = Normalised(), 4, nn.Identity()

    def forward(self, x):
        return self.net.features(x).mean((2, 3))


@pytest.mark.parametrize("kind", ["ranker", "classifier"])
@pytest.mark.parametrize(("share", "moved"), [(0.0, [True, True]), (0.5, [False, True]), (0.99, [False, True])])
def test_frozen_batch_norm_keeps_its_statistics(kind, share, moved):
    extractor = Seen()
    freeze_first_layers(extractor, share)
    network = Ranker(extractor, sizes=(16, 16, 16)) if kind == "ranker" else Classifier(extractor, 3)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [m.running_mean.clone() for m in norms]
    network.train()
    network([torch.randn(8, 3, 16, 16)])
    assert [not torch.equal(m.running_mean, was) for m, was in zip(norms, before, strict=True)] == moved
    network.eval()
    assert not any(m.training for m in network.modules())


def test_dropped_parameters_stay_on_their_device():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).to("meta")
    net[1].weight.grad = None
    drop_unused_parameters(net, lambda: net[0](torch.zeros(1, 2, device="meta")))
    assert [p.device.type for p in net.parameters()] == ["meta"] * 4
    assert [p.numel() for p in net.parameters()] == [4, 2, 0, 0]
