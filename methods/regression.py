"""Regression on the scores: the same networks as the siamese ones, trained image by image. The ablation of Table 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import register_method

from ._ranking_network import RankingNetwork

if TYPE_CHECKING:
    from relattr import TrainingSet
    from relattr.training.objectives import Objective
    from relattr.training.schedule import Schedule


@register_method(
    "regression",
    label="Regression network",
    summary="A pretrained network trained to regress the score of each image.",
)
@register_method(
    "regression-alexnet",
    label="AlexNet Regression",
    summary="AlexNet trained to regress the score of each image (Table 4).",
    backbone="alexnet",
)
@register_method(
    "regression-vgg16",
    label="VGGNet-16 Regression",
    summary="VGG-16 trained to regress the score of each image (Table 4).",
    backbone="vgg16",
)
class Regression(RankingNetwork):
    """A backbone and a linear output, trained to predict the score; pairs are ordered by the predictions.

    Parameters
    ----------
    target : ``z`` standardises the scores to mean 0 and variance 1, heavy tail included; ``rank`` maps their ranks to
        the quantiles of a normal distribution.
    loss : ``smooth_l1`` or ``mse``.
    """

    uses_scores: ClassVar[bool] = True
    # random scores have extreme values by chance; their ranks do not, and are exactly reversed with the labels
    check_with: ClassVar[Mapping[str, Any]] = {**RankingNetwork.check_with, "target": "rank"}

    target: Literal["z", "rank"] = "z"
    loss: Literal["smooth_l1", "mse"] = "smooth_l1"

    unpublished_parameters: ClassVar[Sequence[str]] = ("target", "loss")

    def notes(self) -> Sequence[str]:
        choice = f"target={self.target} and loss={self.loss}: the paper does not say how scores are regressed"
        return (*super().notes(), choice)

    def objective(self, train: TrainingSet, schedule: Schedule) -> Objective:
        from relattr.training.objectives import RegressionObjective

        assert train.scores is not None
        return RegressionObjective(regression_targets(train.scores, self.target), schedule.batch, self.loss)


def regression_targets(scores: NDArray[np.floating], target: str) -> NDArray[np.float64]:
    """Regression targets ``(n,)`` of scores ``(n,)``; all 0 if the scores are equal."""
    if target == "z":
        deviation = scores.std()
        return (scores - scores.mean()) / deviation if deviation else np.zeros(scores.size)
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(scores) - 0.5) / scores.size)
