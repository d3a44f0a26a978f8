"""Regression on the scores: the same networks as the siamese ones, trained image by image. The ablation of Table 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relattr import register_method

from ._networks import RankingNetwork

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import TrainingSet
    from relattr.training.objectives import Objective


@register_method("regression-alexnet", label="AlexNet Regression")
@register_method("regression-vgg16", label="VGGNet-16 Regression", backbone="vgg16")
class Regression(RankingNetwork):
    """A backbone and a linear output, trained to give the score itself; pairs are ordered by what it gives.

    ``target``: ``z`` brings the scores to mean 0 and variance 1, their heavy tail included; ``rank`` gives them the
    order of the scores and a normal distribution. ``loss``: ``smooth_l1`` or ``mse``.
    """

    uses_scores: ClassVar[bool] = True
    # of labels that say nothing some scores are extreme by chance; their ranks turn round with the labels
    check_with: ClassVar[Mapping[str, Any]] = {**RankingNetwork.check_with, "target": "rank", "rate": 0.005}

    target: Literal["z", "rank"] = "z"
    loss: Literal["smooth_l1", "mse"] = "smooth_l1"

    def objective(self, train: TrainingSet, batch: int) -> Objective:
        from relattr.training.objectives import RegressionObjective

        assert train.scores is not None
        return RegressionObjective(brought(train.scores, self.target), batch, self.loss)


def brought(scores: NDArray[np.floating], target: str) -> NDArray[np.float64]:
    """Scores ``(n,)`` as ``target`` says; all 0 where all are equal."""
    import numpy as np

    if target == "z":
        spread = scores.std()
        return (scores - scores.mean()) / spread if spread else np.zeros(scores.size)
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(scores) - 0.5) / scores.size)
