"""Features of any backbone brought to the size of AlexNet's, so that one initialisation fits all.

Singh & Lee (ECCV 2016) start their heads for AlexNet's pool5 and fc7. Another backbone's features may be ten times
as large: the first crop then lies outside the image, and the first loss is far above log 2.
"""

from __future__ import annotations

import torch
from torch import nn


class Standardise(nn.Module):
    """Mean 0 and variance 1 over the numbers of each image: layer normalisation without parameters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(x, x.shape[1:])
