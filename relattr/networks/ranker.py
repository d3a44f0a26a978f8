"""The ranking network: features of the whole image, of crops chosen by spatial transformers, and of a frozen network.

Without a transformer it is the siamese network; with one, that of Singh & Lee (ECCV 2016) and the plain ViralNet; with
three, ViralNet-M; with supplementary features, ViralNet-C (Dubey & Agarwal, MM 2017, Section 3).

With few pairs, the whole image alone may soon order all of them, which leaves hardly a gradient for the crops. Set
``whole_dropout`` to leave the whole image out of a step at random, so that the crops have to order the pairs by
themselves (ModDrop: Neverova et al., "ModDrop: adaptive multi-modal gesture recognition", TPAMI 2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from relattr.errors import BadInput
from relattr.networks.crop_sampler import centre_is_outside, sample_crops
from relattr.networks.localiser import Localiser
from relattr.networks.multiscale_pyramid import CropSource, crop_source, downscaled_view, resize_square
from relattr.networks.scoring import Extractor, NetworkOutput, ScoringNetwork


class Ranker(ScoringNetwork):
    """Images to strengths.

    Set ``whole_dropout`` to the probability with which the features of the whole image are zero in training.

    Parameters
    ----------
    extractor : the backbone, shared by the whole image and the crops.
    localisers : one per scale; none for a network that sees the whole image only.
    whole : whether the whole image is one of the inputs.
    supplement : number of supplementary features per image, from another, frozen network.
    sizes : side length in pixels of the whole image, each crop and each localiser's view, as the backbone sees them.
    scales : of each localiser's view; see `relattr.networks.multiscale_pyramid`.
    sample_from : what the transformers crop: the image at full size, or downscaled to their scale.
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
        sample_from: CropSource = "full",
    ) -> None:
        if not whole and not localisers:
            raise BadInput("a ranking network needs the whole image, a crop of it, or both")
        n_inputs = int(whole) + len(localisers)
        super().__init__(extractor, n_inputs * extractor.dim + supplement, 1)
        self.localisers = nn.ModuleList(localisers)
        self.whole = whole
        self.sizes = sizes
        self.scales = tuple(scales) or (1.0,) * len(localisers)
        self.sample_from: CropSource = sample_from
        self.n_inputs = n_inputs
        self.whole_dropout = 0.0

    def forward(self, views: Sequence[torch.Tensor], supplement: torch.Tensor | None = None) -> NetworkOutput:
        """The strength of each image.

        ``views`` are normalised images ``(n, 3, h, h)``: one for all inputs, or one for each input: the whole image
        (if it is an input), then the image of each transformer. ``supplement`` ``(n, d)`` are supplementary features.
        """
        features, theta = self._features(self._one_view_per_input(views))
        parts = features if supplement is None else [*features, supplement]
        return NetworkOutput(self.score_features(torch.cat(parts, 1)), tuple(theta))

    def score_features(self, features: torch.Tensor) -> torch.Tensor:
        """The strengths ``(n,)`` for features ``(n, d)``, the supplementary ones last."""
        strength: torch.Tensor = self.score(features).squeeze(1)
        return strength

    def features(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """The penultimate layer without the supplementary features, ``(n, d)``."""
        return torch.cat(self._features(self._one_view_per_input(views))[0], 1)

    def locate(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The parameters ``theta`` ``(n, 3)`` of each transformer; nothing else is computed."""
        views = list(views) * len(self.localisers) if len(views) == 1 else list(views)[int(self.whole) :]
        view_size = self.sizes[2]
        return [
            localiser(_channels_last(downscaled_view(x, scale, view_size)))
            for localiser, x, scale in zip(self.localisers, views, self.scales, strict=True)
        ]

    def crops(self, views: Sequence[torch.Tensor], theta: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The crops ``(n, 3, h, h)`` that the transformers sample from their inputs."""
        inputs = [
            crop_source(x, scale, self.sample_from)
            for x, scale in zip(views[int(self.whole) :], self.scales, strict=True)
        ]
        return [sample_crops(x, parameters, self.sizes[1]) for x, parameters in zip(inputs, theta, strict=True)]

    def _one_view_per_input(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return list(views) * self.n_inputs if len(views) == 1 else list(views)

    def _features(self, views: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        theta = self.locate(views)
        # a transformer whose crop centre is outside gets the gradient of the spatial loss in place of the ranking loss
        cropped_at = [torch.where(centre_is_outside(part)[:, None], part.detach(), part) for part in theta]
        features = []
        if self.whole and self._drops_whole():
            features.append(views[0].new_zeros(len(views[0]), self.extractor.dim))
        elif self.whole:
            features.append(self.extractor(_channels_last(resize_square(views[0], self.sizes[0]))))
        if cropped_at:
            crops = _channels_last(torch.cat(self.crops(views, cropped_at)))
            features += self.extractor(crops).split(len(views[0]))
        return features, theta

    def _drops_whole(self) -> bool:
        """Whether this forward pass is one without the whole image."""
        if not (self.training and self.localisers and self.whole_dropout):
            return False
        return torch.rand(()).item() < self.whole_dropout


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    """The same images, channels last in memory: convolutions then take two thirds of the time on a processor."""
    return images.contiguous(memory_format=torch.channels_last)
