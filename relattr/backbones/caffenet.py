"""CaffeNet, the AlexNet of the Caffe model zoo, called "AlexNet" in the papers of 2013 to 2016.

Krizhevsky, Sutskever, Hinton, NIPS 2012, as released by Caffe (Jia et al., ACM MM 2014): two groups in conv2,
conv4 and conv5, local response normalisation over 5 channels (alpha 1e-4, beta 0.75), and pooling before
normalisation. torchvision's ``alexnet`` is a different network: fewer filters, no groups, no normalisation.

The input is 227 x 227 px in BGR order, values 0 to 255 minus the mean (104, 117, 123); see `PREPROCESSING`.
Weights are read from ``caffenet.safetensors`` with the keys of `CaffeNet.state_dict`, which are Caffe's layer names
with a prefix (``features.conv1.weight``, ``classifier.fc6.bias``, ...), and arrays in Caffe's order of dimensions.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from relattr.backbones.names import Preprocessing

# Caffe's mean is for values 0..255 in BGR order
PREPROCESSING = Preprocessing(
    input_size=227, resize=256, mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255, 1 / 255, 1 / 255), bgr=True
)


class CaffeNet(nn.Module):
    """Map ``(n, 3, 227, 227)`` float to class scores ``(n, classes)``."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 11, stride=4),
                relu1=nn.ReLU(inplace=True),
                pool1=_pool(),
                norm1=_norm(),
                conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
                relu2=nn.ReLU(inplace=True),
                pool2=_pool(),
                norm2=_norm(),
                conv3=nn.Conv2d(256, 384, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
                relu5=nn.ReLU(inplace=True),
                pool5=_pool(),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                fc6=nn.Linear(256 * 6 * 6, 4096),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Linear(4096, 4096),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
                fc8=nn.Linear(4096, classes),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)  # Caffe rounds output sizes of pooling up


def _norm() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
