"""A ranking network from a description of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from relattr.backbones.backbone import Backbone
from relattr.networks.parts import drop_unused, freeze
from relattr.networks.ranker import Extractor, Ranker
from relattr.networks.transformer import SCALE, Localiser


@dataclass(frozen=True)
class Architecture:
    """What a ranking network is made of.

    Parameters
    ----------
    backbone : of the ranker and of each localiser.
    scales : one a transformer, the size of the image it sees; none for a siamese network.
    supplement : how many numbers another network brings for each image.
    standardise : whether features are brought to AlexNet's size before the heads.
    frozen : the share of the ranker's layers that is not trained.
    frozen_localiser : whether the backbones of the localisers are not trained.
    crop, view : pixels a side of the crops and of what localisers see, against the backbone's input size.
    """

    backbone: str
    scales: Sequence[float] = ()
    supplement: int = 0
    standardise: bool = True
    frozen: float = 0.0
    frozen_localiser: bool = False
    crop: float = 1.0
    view: float = 1.0


def build(what: Architecture, *, whole: bool = True, seed: int, pretrained: bool = True) -> Ranker:
    """The network, its new layers drawn with ``seed``; torch's global generator stays as it was.

    ``whole=False`` leaves the whole image out: the first stage of training.
    """
    with torch.random.fork_rng(devices=[]):
        made = [Backbone.create(what.backbone, pretrained=pretrained) for _ in range(1 + len(what.scales))]
        torch.manual_seed(seed)  # only now: how much a backbone draws depends on whether it was there already
        extractor = Extractor(made[0], standardise=what.standardise)
        size = extractor.backbone.input_size
        sizes = (size, _multiple(size, what.crop), _multiple(size, what.view))
        _use(extractor, size)
        freeze(extractor, what.frozen)
        localisers = []
        for scale, backbone in zip(what.scales, made[1:], strict=True):
            localiser = Localiser(
                backbone,
                scale=SCALE * scale,
                standardise=what.standardise,
                frozen=what.frozen_localiser,
            )
            if not what.frozen_localiser:
                _use(localiser, sizes[2])
            else:
                seen = localiser.backbone
                drop_unused(seen, partial(seen.conv_features, _blank(sizes[2])))
                for parameter in seen.parameters():
                    parameter.requires_grad_(False)
            localisers.append(localiser)
        return Ranker(
            extractor,
            localisers,
            whole=whole,
            supplement=what.supplement if whole else 0,
            sizes=sizes,
            scales=tuple(what.scales),
        )


def centre_first_crops(network: Ranker, views: Sequence[torch.Tensor], most: float = 0.5) -> float:
    """Bring the middles of the first crops into the image; the factor their translations were multiplied by.

    Singh & Lee draw the translation weights for AlexNet's pool5. With other features the first middle may be outside,
    where the ranking does not reach the transformer. ``views`` are images to try; no middle is then farther than
    ``most`` from the middle of the image, whose border is at 1.
    """
    factor = 1.0
    with torch.no_grad():
        was = network.training
        network.eval()
        for localiser, theta in zip(network.localisers, network.locate(views), strict=True):
            farthest = float((theta[:, :1] * theta[:, 1:]).abs().max())
            if farthest > most:
                localiser.output.weight[1:] *= most / farthest  # type: ignore[union-attr,index,operator]
                factor = min(factor, most / farthest)
        network.train(was)
    return factor


def _multiple(size: int, share: float) -> int:
    return max(1, round(share * size))


def _blank(size: int) -> torch.Tensor:
    return torch.zeros(1, 3, size, size)


def _use(module: torch.nn.Module, size: int) -> None:
    drop_unused(module, lambda: module(_blank(size)))
