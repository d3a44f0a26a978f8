"""Per-image standardisation of features to the magnitude of AlexNet's, so that one initialisation fits all backbones.

Singh & Lee (ECCV 2016) initialise their heads for AlexNet's pool5 and fc7. Features of another backbone may be ten
times as large: the initial crop then lies outside the image, and the initial loss is far above log 2.
"""

from __future__ import annotations

import torch
from torch import nn


class FeatureStandardisation(nn.Module):
    """Mean 0 and variance 1 over the features of each image: layer normalisation without parameters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(x, x.shape[1:])
