"""Base classes of trained networks: a feature extractor with a linear score layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.dropout import set_hidden_dropout
from relattr.networks.freezing import freeze_batch_norm_statistics
from relattr.networks.standardisation import FeatureStandardisation


class Extractor(nn.Module):
    """A backbone up to the layer before its classifier: ``(n, 3, h, w)`` to ``(n, dim)``; AlexNet's fc7.

    Parameters
    ----------
    backbone : owned by the extractor from then on.
    standardise : whether the features of each image are standardised.
    dropout : probability, in [0, 1), with which a feature is dropped in training; in AlexNet and VGG the same after
        fc6 (see `relattr.networks.dropout`). None leaves the dropout of the backbone as it is and adds none.
    """

    def __init__(self, backbone: Backbone, *, standardise: bool = True, dropout: float | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.layer = backbone.default_layer
        self.dim = backbone.feature_dim(self.layer)
        self.standardise = FeatureStandardisation() if standardise else nn.Identity()
        self.dropout = nn.Dropout(dropout or 0.0)
        if dropout is not None:
            set_hidden_dropout(backbone, dropout)

    @property
    def is_standardised(self) -> bool:
        """Whether the features of each image are standardised."""
        return isinstance(self.standardise, FeatureStandardisation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.backbone.forward_features(x, self.layer).flatten(1)
        if features.shape[1] != self.dim:
            raise BadInput(
                f"{self.backbone.name} gives {features.shape[1]} features for images of side {x.shape[-1]} and "
                f"{self.dim} for {self.backbone.input_size}; it needs an input of that size"
            )
        return self.dropout(self.standardise(features.float()))


class NetworkOutput(NamedTuple):
    """The output for ``n`` images.

    ``score`` is the strength ``(n,)`` of each image, or one score per class ``(n, classes)``; ``theta`` holds the
    parameters ``(n, 3)`` of each spatial transformer.
    """

    score: torch.Tensor
    theta: tuple[torch.Tensor, ...]


class ScoringNetwork(nn.Module):
    """Base class of `Ranker` and `Classifier`: an extractor and a linear score layer, Xavier-initialised.

    Set ``hold_statistics`` to keep the statistics of batch normalisation in training mode too.

    Parameters
    ----------
    extractor : the backbone.
    in_features, out_features : of the score layer.
    """

    def __init__(self, extractor: Extractor, in_features: int, out_features: int) -> None:
        super().__init__()
        self.extractor = extractor
        self.score = nn.Linear(in_features, out_features)
        nn.init.xavier_uniform_(self.score.weight)
        nn.init.zeros_(self.score.bias)
        self.hold_statistics = False

    def train(self, mode: bool = True) -> Self:
        """Set the mode; batch normalisation whose parameters are frozen keeps its statistics in either mode."""
        super().train(mode)
        freeze_batch_norm_statistics(self, trainable=self.hold_statistics)
        return self

    @abstractmethod
    def features(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """The penultimate layer, ``(n, d)``: the input of the score layer, without supplementary features."""

    @abstractmethod
    def score_features(self, features: torch.Tensor) -> torch.Tensor:
        """The output of the score layer for the features of `features`, as in `NetworkOutput.score`."""
