"""A network that tells the categories of images apart: the second network of ViralNet-C, while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import nn

from relattr.networks.parts import hold_statistics
from relattr.networks.ranker import Extractor, RankerOutput


class Classifier(nn.Module):
    """A backbone and one linear layer: ``(n, 3, h, w)`` to ``(n, classes)``."""

    def __init__(self, extractor: Extractor, classes: int) -> None:
        super().__init__()
        self.extractor = extractor
        self.score = nn.Linear(extractor.dim, classes)
        nn.init.xavier_uniform_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        hold_statistics(self)
        return self

    def forward(self, views: Sequence[torch.Tensor]) -> RankerOutput:
        return RankerOutput(self.answer(self.features(views)), ())

    def features(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the score layer is a function of, ``(n, dim)``."""
        found: torch.Tensor = self.extractor(views[0])
        return found

    def answer(self, features: torch.Tensor) -> torch.Tensor:
        """A number for each class, ``(n, classes)``."""
        found: torch.Tensor = self.score(features)
        return found
