"""A ranking network: features of the whole image, of the crops that transformers chose, and of a frozen network.

With no transformer it is the siamese network; with one, Singh & Lee's (ECCV 2016) and the plain ViralNet; with three,
ViralNet-M; with a supplement, ViralNet-C (Dubey & Agarwal, MM 2017, Section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import nn

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks import pyramid
from relattr.networks.parts import hold_statistics
from relattr.networks.standardise import Standardise
from relattr.networks.transformer import Localiser, crop, outside


class Extractor(nn.Module):
    """A backbone up to the layer before its classifier: ``(n, 3, h, w)`` to ``(n, dim)``; AlexNet's fc7."""

    def __init__(self, backbone: Backbone, *, standardise: bool = True) -> None:
        super().__init__()
        self.backbone = backbone
        self.layer = backbone.default_layer
        self.dim = backbone.feature_dim(self.layer)
        self.standardise = Standardise() if standardise else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.backbone.forward_features(x, self.layer).flatten(1)
        if found.shape[1] != self.dim:
            raise BadInput(
                f"{self.backbone.name} gives {found.shape[1]} features for {x.shape[-1]} pixels a side and "
                f"{self.dim} for {self.backbone.input_size}; it needs an input of that size"
            )
        return self.standardise(found.float())


class RankerOutput(NamedTuple):
    """What the network gives for ``n`` images: ``strength`` (n,), and the ``theta`` (n, 3) of each transformer."""

    strength: torch.Tensor
    theta: tuple[torch.Tensor, ...]


class Ranker(nn.Module):
    """Images to strengths.

    Parameters
    ----------
    extractor : the backbone that crops and whole image share.
    localisers : one a scale; none for a network that looks at the whole image only.
    whole : whether the whole image is one of its inputs.
    supplement : how many numbers of another, frozen network an image brings.
    sizes : pixels a side of what the whole image, each crop and each localiser's view are shown at.
    scales : of each localiser's view; see `relattr.networks.pyramid`.
    """

    def __init__(
        self,
        extractor: Extractor,
        localisers: Sequence[Localiser] = (),
        *,
        whole: bool = True,
        supplement: int = 0,
        sizes: tuple[int, int, int],
        scales: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if not whole and not localisers:
            raise BadInput("a ranking network needs the whole image, a crop of it, or both")
        self.extractor = extractor
        self.localisers = nn.ModuleList(localisers)
        self.whole = whole
        self.sizes = sizes
        self.scales = tuple(scales) or (1.0,) * len(localisers)
        self.n_inputs = int(whole) + len(localisers)
        self.score = nn.Linear(self.n_inputs * extractor.dim + supplement, 1)
        nn.init.xavier_uniform_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        hold_statistics(self)
        return self

    def forward(self, views: Sequence[torch.Tensor], supplement: torch.Tensor | None = None) -> RankerOutput:
        """The strength of each image.

        ``views``: its normalised input once, ``(n, 3, h, h)``, or once for each input of its own: the whole image
        (where there is one), then what each transformer works on. ``supplement`` ``(n, d)``.
        """
        views = list(views) * self.n_inputs if len(views) == 1 else list(views)
        found, theta = self._features(views)
        parts = found if supplement is None else [*found, supplement]
        return RankerOutput(self.answer(torch.cat(parts, 1)), tuple(theta))

    def answer(self, features: torch.Tensor) -> torch.Tensor:
        """The strengths ``(n,)`` that the score layer gives for features ``(n, d)``, the supplement's at their end."""
        strength: torch.Tensor = self.score(features).squeeze(1)
        return strength

    def features(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """The penultimate layer: all that the score is a linear function of, without the supplement, ``(n, d)``."""
        views = list(views) * self.n_inputs if len(views) == 1 else list(views)
        return torch.cat(self._features(views)[0], 1)

    def locate(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """``theta`` ``(n, 3)`` of each transformer; nothing else is computed."""
        views = list(views) * len(self.localisers) if len(views) == 1 else list(views)[int(self.whole) :]
        seen = self.sizes[2]
        return [
            localiser(pyramid.view(x, scale, seen))
            for localiser, x, scale in zip(self.localisers, views, self.scales, strict=True)
        ]

    def crops(self, views: Sequence[torch.Tensor], theta: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What the transformers cut out of their inputs."""
        inputs = views[int(self.whole) :]
        return [crop(x, where, self.sizes[1]) for x, where in zip(inputs, theta, strict=True)]

    def _features(self, views: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        theta = self.locate(views)
        # outside the image the spatial loss takes the ranking's place in the transformer, and there only
        places = [torch.where(outside(where)[:, None], where.detach(), where) for where in theta]
        found = [self.extractor(pyramid.resized(views[0], self.sizes[0]))] if self.whole else []
        if places:
            cut = torch.cat(self.crops(views, places))
            found += self.extractor(cut).split(len(views[0]))
        return found, theta
