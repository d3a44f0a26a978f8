"""A classifier of image categories: the second network of ViralNet-C while it is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from relattr.networks.scoring import Extractor, NetworkOutput, ScoringNetwork


class Classifier(ScoringNetwork):
    """A backbone and one linear layer: ``(n, 3, h, w)`` to class scores ``(n, classes)``."""

    def __init__(self, extractor: Extractor, classes: int) -> None:
        super().__init__(extractor, extractor.dim, classes)

    def forward(self, views: Sequence[torch.Tensor]) -> NetworkOutput:
        return NetworkOutput(self.score_features(self.features(views)), ())

    def features(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """The input of the score layer, ``(n, dim)``."""
        features: torch.Tensor = self.extractor(views[0])
        return features

    def score_features(self, features: torch.Tensor) -> torch.Tensor:
        """One score per class, ``(n, classes)``."""
        scores: torch.Tensor = self.score(features)
        return scores
