"""Dropout where Singh & Lee have it: after fc6 and after fc7, in training only."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from relattr.backbones import micro_net
from relattr.backbones.backbone import Backbone
from relattr.backbones.names import Preprocessing
from relattr.networks.scoring import Extractor

HOW = Preprocessing(8, 8)


class SmallAlexNet(nn.Module):
    """The layers of torchvision's AlexNet, or of Caffe's and VGG, with 64 units and weights that copy one number."""

    def __init__(self, caffe: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 64, 8), nn.ReLU())
        fc6, fc7 = (nn.Linear(64, 64) for _ in range(2))
        with torch.no_grad():
            for layer in (fc6, fc7):
                layer.weight.copy_(torch.eye(64))
                layer.bias.zero_()
            self.features[0].weight.zero_()
            self.features[0].bias.fill_(1.0)
        last = nn.Linear(64, 4)
        if caffe:
            layers = [fc6, nn.ReLU(), nn.Dropout(0.3), fc7, nn.ReLU(), nn.Dropout(0.3), last]
        else:
            layers = [nn.Dropout(0.3), fc6, nn.ReLU(), nn.Dropout(0.3), fc7, nn.ReLU(), last]
        self.classifier = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


@pytest.mark.parametrize("caffe", [False, True])
def test_a_feature_survives_both_dropouts_in_a_quarter_of_cases(caffe):
    extractor = Extractor(Backbone(SmallAlexNet(caffe), "small", HOW), standardise=False, dropout=0.5)
    assert extractor.layer == "fc7"
    x = torch.zeros(500, 3, 8, 8)
    torch.manual_seed(0)
    extractor.train()
    with torch.no_grad():
        features = extractor(x)
    assert set(features.unique().tolist()) == {0.0, 4.0}  # kept twice, each time doubled
    n, p = features.numel(), 0.25
    assert abs(float((features > 0).float().mean()) - p) < 5 * (p * (1 - p) / n) ** 0.5
    extractor.eval()
    with torch.no_grad():
        assert (extractor(x) == 1).all()


def test_without_dropout_the_pretrained_network_is_unchanged():
    backbone = Backbone(SmallAlexNet(caffe=False), "small", HOW)
    extractor = Extractor(backbone, standardise=False)
    assert [layer.p for layer in backbone.net.classifier if isinstance(layer, nn.Dropout)] == [0.3, 0.3]
    assert extractor.dropout.p == 0


def test_other_networks_drop_their_last_features():
    extractor = Extractor(Backbone(micro_net.MicroNet(8), "micro", Preprocessing(64, 64)), dropout=0.5)
    torch.manual_seed(0)
    with torch.no_grad():
        features = extractor.train()(torch.rand(50, 3, 64, 64))
    assert abs(float((features == 0).float().mean()) - 0.5) < 0.05
