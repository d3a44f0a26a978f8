"""A classifier of image categories: the second network of ViralNet-C while it is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from relattr.networks.multiscale_pyramid import resize_square
from relattr.networks.scoring import Extractor, NetworkOutput, ScoringNetwork


class Classifier(ScoringNetwork):
    """A backbone and one linear layer: ``(n, 3, h, h)`` to class scores ``(n, classes)``.

    Parameters
    ----------
    extractor : the backbone.
    classes : number of classes.
    size : side in pixels that images are resized to; None to take them as they are.
    """

    def __init__(self, extractor: Extractor, classes: int, size: int | None = None) -> None:
        super().__init__(extractor, extractor.dim, classes)
        self.size = size

    def forward(self, views: Sequence[torch.Tensor]) -> NetworkOutput:
        return NetworkOutput(self.score_features(self.features(views)), ())

    def features(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """The input of the score layer, ``(n, dim)``."""
        images = views[0]
        if self.size is not None:
            images = resize_square(images, self.size).contiguous(memory_format=torch.channels_last)
        features: torch.Tensor = self.extractor(images)
        return features

    def score_features(self, features: torch.Tensor) -> torch.Tensor:
        """One score per class, ``(n, classes)``."""
        scores: torch.Tensor = self.score(features)
        return scores
