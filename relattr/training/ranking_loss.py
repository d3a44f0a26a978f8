"""The ranking loss (RankNet) over the pairs of a batch, combined with the spatial loss of their images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch.nn import functional

from relattr.networks.crop_sampler import centre_is_outside
from relattr.training.spatial_loss import spatial_loss

Gate = Literal["crop", "pair"]
"""Which ranking gradient is off if a crop centre is outside the image: that transformer's, or the whole pair's."""


class PairTargets(NamedTuple):
    """Pairs among the images of a batch: positions ``left``, ``right`` (m,) int64, and ``target`` (m,) in [0, 1].

    ``target`` is the probability that the left image has more: 1, 0, or 0.5 for a similar pair. A sum over the batch
    is divided by ``normaliser``, the average number of pairs per batch, so that every pair has the same weight.
    """

    left: torch.Tensor
    right: torch.Tensor
    target: torch.Tensor
    normaliser: float


def ranknet_loss(difference: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy of P(left > right) = sigmoid(``difference``) and ``target``, elementwise.

    Burges et al., "Learning to rank using gradient descent", ICML 2005. Its gradient is P - target.
    """
    return functional.softplus(difference) - target * difference


def pairwise_loss(
    strength: torch.Tensor, theta: Sequence[torch.Tensor], pairs: PairTargets, gate: Gate = "crop"
) -> torch.Tensor:
    """The mean over pairs of the ranking loss plus the spatial loss of both images, summed over all transformers.

    ``strength`` ``(n,)`` and ``theta``, ``(n, 3)`` per transformer, are the network's output. ``gate="crop"`` follows
    the code of Singh & Lee (ECCV 2016): the spatial loss of a crop centred outside the image is half the squared
    distance, and replaces the gradient of the ranking loss in that transformer only (see `Ranker`). ``gate="pair"``
    follows the formula of Dubey & Agarwal (MM 2017, Section 3.4.2): the full squared distance, and no ranking loss
    for a pair with such a crop.
    """
    ranking = ranknet_loss(strength[pairs.left] - strength[pairs.right], pairs.target)
    if theta:
        outside = torch.stack([centre_is_outside(part) for part in theta]).float()  # (transformers, images)
        spatial = (outside * torch.stack([spatial_loss(part) for part in theta])).sum(0)
        if gate == "pair":
            inside = 1 - outside.amax(0)
            ranking = ranking * inside[pairs.left] * inside[pairs.right]
            spatial = 2 * spatial
        ranking = ranking + spatial[pairs.left] + spatial[pairs.right]
    return ranking.sum() / pairs.normaliser
