"""The description of a ranking network's architecture, and the network built from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from relattr.backbones.backbone import Backbone
from relattr.errors import BadInput
from relattr.networks.crop_sampler import crop_centres
from relattr.networks.freezing import drop_unused_parameters, freeze_first_layers
from relattr.networks.localiser import INITIAL_SCALE, Localiser
from relattr.networks.multiscale_pyramid import CropSource
from relattr.networks.ranker import Ranker
from relattr.networks.scoring import Extractor


@dataclass(frozen=True)
class Architecture:
    """The architecture of a ranking network.

    Parameters
    ----------
    backbone : of the ranker and of each localiser.
    scales : one per transformer, the size of the image it sees; empty for a siamese network.
    initial_scale : side of the initial crop of the first transformer relative to the image, in (0, 1].
    relative_scales : initial scale of each transformer relative to ``initial_scale``; ``scales`` if empty.
    starts : centre x, y and side of the initial crop of each transformer in the image that it sees, which is [0, 1];
        they replace the initial scales. Empty for the published start, near the middle.
    sample_from : whether a transformer crops the image at full size or downscaled to its scale.
    centre : whether initial crops that lie far from the middle are moved towards it; see `centre_initial_crops`.
    supplement : number of supplementary features per image, from another network.
    standardise : whether features are standardised to AlexNet's magnitude before the heads.
    whole_dropout : probability that the network does not see the whole image in training; see `Ranker`.
    dropout : probability of dropout after the ranker's last layers; see `relattr.networks.scoring.Extractor`.
    frozen : share of the ranker's layers that is not trained.
    frozen_localiser : whether the backbones of the localisers are not trained.
    zero_score : whether the score layer starts from zero.
    hold_statistics : whether batch normalisation keeps its statistics in training.
    image, crop, view : side length of the whole image, of the crops and of the localisers' views, relative to the
        backbone's input size.
    """

    backbone: str
    scales: Sequence[float] = ()
    initial_scale: float = INITIAL_SCALE
    relative_scales: Sequence[float] = ()
    starts: Sequence[tuple[float, float, float]] = ()
    sample_from: CropSource = "full"
    centre: bool = True
    supplement: int = 0
    standardise: bool = True
    dropout: float | None = None
    frozen: float = 0.0
    frozen_localiser: bool = False
    zero_score: bool = False
    hold_statistics: bool = False
    image: float = 1.0
    crop: float = 1.0
    view: float = 1.0
    whole_dropout: float = 0.0

    @property
    def initial_scales(self) -> list[float]:
        """The initial scale of each transformer. Raises `BadInput` unless there is one for each."""
        if self.starts:
            if len(self.starts) != len(self.scales):
                raise BadInput(f"starts has {len(self.starts)} places for {len(self.scales)} transformers")
            return [side for _, _, side in self.starts]
        relative = self.relative_scales or self.scales
        if len(relative) != len(self.scales):
            raise BadInput(f"relative_scales has {len(relative)} values for {len(self.scales)} transformers")
        return [self.initial_scale * factor for factor in relative]


def build_ranker(architecture: Architecture, *, whole: bool = True, seed: int, pretrained: bool = True) -> Ranker:
    """Build the network, its new layers initialised with ``seed``; torch's global generator is left unchanged.

    ``whole=False`` omits the whole image and the supplementary features: the first stage of training.
    """
    with torch.random.fork_rng(devices=[]):
        backbones = [
            Backbone.create(architecture.backbone, pretrained=pretrained) for _ in range(1 + len(architecture.scales))
        ]
        # seeded after creating the backbones: how many numbers that draws depends on whether weights were cached
        torch.manual_seed(seed)
        extractor = Extractor(backbones[0], standardise=architecture.standardise, dropout=architecture.dropout)
        size = extractor.backbone.input_size
        image, crop, view = (
            scaled_size(size, part) for part in (architecture.image, architecture.crop, architecture.view)
        )
        _drop_unused(extractor, size)
        freeze_first_layers(extractor, architecture.frozen)
        localisers = []
        centres: Sequence[tuple[float, float] | None] = [None] * len(architecture.scales)
        if architecture.starts:
            centres = [(2 * x - 1, 2 * y - 1) for x, y, _ in architecture.starts]
        for scale, centre, backbone in zip(architecture.initial_scales, centres, backbones[1:], strict=True):
            localiser = Localiser(
                backbone,
                scale=scale,
                centre=centre,
                standardise=architecture.standardise,
                frozen=architecture.frozen_localiser,
            )
            if not architecture.frozen_localiser:
                _drop_unused(localiser, view)
            else:
                drop_unused_parameters(backbone, partial(backbone.conv_features, _blank_image(view)))
                for parameter in backbone.parameters():
                    parameter.requires_grad_(False)
            localisers.append(localiser)
        ranker = Ranker(
            extractor,
            localisers,
            whole=whole,
            supplement=architecture.supplement if whole else 0,
            sizes=(image, crop, view),
            scales=tuple(architecture.scales),
            sample_from=architecture.sample_from,
        )
    ranker.hold_statistics = architecture.hold_statistics
    ranker.whole_dropout = architecture.whole_dropout
    if architecture.zero_score:
        torch.nn.init.zeros_(ranker.score.weight)
    return ranker


def centre_initial_crops(network: Ranker, views: Sequence[torch.Tensor], max_offset: float = 0.5) -> float:
    """Scale down the translation weights until the initial crops are centred inside the image. Returns the factor.

    Singh & Lee initialise the translation weights for AlexNet's pool5. With other features the initial centre may be
    outside the image, where the ranking loss has no gradient in the transformer. ``views`` are sample images; no
    crop centre of theirs is then farther than ``max_offset`` from the image centre, the border being at 1.
    """
    smallest = 1.0
    with torch.no_grad():
        training = network.training
        network.eval()
        for localiser, theta in zip(network.localisers, network.locate(views), strict=True):
            farthest = float(crop_centres(theta).abs().max())
            if farthest > max_offset:
                localiser.output.weight[1:] *= max_offset / farthest  # type: ignore[union-attr,index,operator]
                smallest = min(smallest, max_offset / farthest)
        network.train(training)
    return smallest


def scaled_size(size: int, share: float) -> int:
    """``share`` of a side length of ``size`` pixels, at least 1."""
    return max(1, round(share * size))


def _blank_image(size: int) -> torch.Tensor:
    return torch.zeros(1, 3, size, size)


def _drop_unused(module: torch.nn.Module, size: int) -> None:
    drop_unused_parameters(module, lambda: module(_blank_image(size)))
