"""What is minimised, as functions of the strengths of a batch's images and the pairs among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch.nn import functional

from relattr.networks.transformer import outside, pull

Gate = Literal["crop", "pair"]
"""What the spatial loss takes the place of where a crop lies outside: see `pairwise`."""


class PairBatch(NamedTuple):
    """Pairs among the images of a batch: positions ``left``, ``right`` (m,) int64, ``target`` (m,) in [0, 1].

    ``target`` is the probability that the left image has more: 1, 0, or 0.5 for a similar pair. A sum over the
    batch is divided by ``weight``, the number of pairs that a batch has on average, so that every pair counts
    the same in whichever batch it is.
    """

    left: torch.Tensor
    right: torch.Tensor
    target: torch.Tensor
    weight: float


def ranknet(difference: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy of P(left > right) = sigmoid(difference) and ``target``, elementwise.

    Burges et al., "Learning to rank using gradient descent", ICML 2005. Its gradient is P - target.
    """
    return functional.softplus(difference) - target * difference


def pairwise(
    strength: torch.Tensor, theta: Sequence[torch.Tensor], pairs: PairBatch, gate: Gate = "crop"
) -> torch.Tensor:
    """The mean over pairs of the ranking loss and the spatial loss of their two images, over all transformers.

    ``gate="crop"`` is Singh & Lee's code (ECCV 2016): each crop whose middle lies outside is pulled back with half
    the squared distance, in place of the ranking gradient of that transformer alone (see `Ranker`). ``gate="pair"``
    is the formula of Dubey & Agarwal (Section 3.4.2): the whole squared distance, and no ranking loss for a pair
    with such a crop.
    """
    rank = ranknet(strength[pairs.left] - strength[pairs.right], pairs.target)
    if theta:
        out = torch.stack([outside(where) for where in theta]).float()  # (scales, images)
        drawn = (out * torch.stack([pull(where) for where in theta])).sum(0)
        if gate == "pair":
            free = 1 - out.amax(0)
            rank = rank * free[pairs.left] * free[pairs.right]
            drawn = 2 * drawn
        rank = rank + drawn[pairs.left] + drawn[pairs.right]
    return rank.sum() / pairs.weight
