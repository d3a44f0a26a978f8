"""A small AlexNet-like network: `micro`.

Five convolutions, three pooling layers and three fully connected layers with the layer names of AlexNet, so that code
for ``pool5``, ``fc6`` and ``fc7`` of AlexNet runs on it: 64 x 64 px inputs, 256 units in fc6 and fc7.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


class MicroNet(nn.Module):
    """Map ``(n, 3, 64, 64)`` float to class scores ``(n, classes)``; other sizes of at least 32 px work too."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 16, 5, stride=2, padding=2),
                relu1=nn.ReLU(inplace=True),
                pool1=nn.MaxPool2d(3, 2),
                conv2=nn.Conv2d(16, 32, 3, padding=1),
                relu2=nn.ReLU(inplace=True),
                pool2=nn.MaxPool2d(3, 2),
                conv3=nn.Conv2d(32, 64, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(64, 64, 3, padding=1),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(64, 64, 3, padding=1),
                relu5=nn.ReLU(inplace=True),
                pool5=nn.MaxPool2d(3, 2),
            )
        )
        self.avgpool = nn.AdaptiveAvgPool2d(3)  # does nothing at 64 x 64
        self.classifier = nn.Sequential(
            OrderedDict(
                fc6=nn.Linear(64 * 3 * 3, 256),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.2),
                fc7=nn.Linear(256, 256),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.2),
                fc8=nn.Linear(256, classes),
            )
        )
        # He initialisation: PyTorch's default is too small for fast training
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name == "classifier.fc8.weight":
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
