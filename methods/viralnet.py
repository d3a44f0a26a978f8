"""The four ViralNets of Dubey & Agarwal (MM 2017): a transformer looks, a shared network ranks what it sees.

``viralnet`` is Singh & Lee's network (ECCV 2016): one transformer, whole image and crop. ``viralnet-m`` has three, at
full, half and quarter size; ``viralnet-c`` is given the features of a frozen category network; ``viralnet-mc`` both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relattr import register_method
from relattr.needs import Need

from ._networks import RankingNetwork

if TYPE_CHECKING:
    from relattr import Run, TrainingSet
    from relattr.training.objectives import Objective


@register_method("viralnet", label="ViralNet")
@register_method("viralnet-m", label="ViralNet-M", multiscale=True)
class ViralNet(RankingNetwork):
    """Ranks an image by itself and by the crops its spatial transformers choose.

    ``multiscale``: three transformers instead of one. ``gate``: where a crop lies outside the image, the spatial loss
    takes the place of the ranking in that transformer (``crop``, Singh & Lee's code) or of the pair's whole ranking
    loss (``pair``, the paper's formula).
    """

    multiscale: bool = False
    gate: Literal["crop", "pair"] = "crop"

    def scales(self) -> tuple[float, ...]:
        from relattr.networks.pyramid import SCALES

        return SCALES if self.multiscale else SCALES[:1]

    def objective(self, train: TrainingSet, batch: int) -> Objective:
        from relattr.training.objectives import PairwiseObjective

        return PairwiseObjective(train.pairs, batch, self.gate)


@register_method("viralnet-c", label="ViralNet-C")
@register_method("viralnet-mc", label="ViralNet-MC", multiscale=True)
class ViralNetC(ViralNet):
    """A ViralNet that is also given the features of a frozen second network.

    Trained on the categories of the training images and on no test image, where the dataset has categories;
    otherwise, and where it is named, ``supplement`` is a backbone taken as it comes (for faces the paper takes
    OpenFace, for OSR Places205-AlexNet). ``supplement_weights`` is a file of other weights for that backbone.
    """

    supplement: str = ""
    supplement_weights: str = ""

    @property
    def uses_categories(self) -> bool:  # type: ignore[override]
        """Whether it has to be trained on categories first."""
        return not self.supplement

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import PretrainedWeights

        if not self.supplement:
            return super().needs()
        second = WeightsAt(self.supplement_weights) if self.supplement_weights else PretrainedWeights(self.supplement)
        return (*super().needs(), second)

    def deviations(self) -> Sequence[str]:
        second = f"{self.supplement}'s features" if self.supplement else "a network trained on the training images"
        return (*super().deviations(), f"its category network is {second}")

    @property
    def second_backbone(self) -> str:
        return self.supplement or self.backbone

    def second(self, train: TrainingSet, run: Run) -> tuple[Any, str]:
        if not self.supplement:
            return train.categories, self.backbone
        from relattr.backbones.backbone import Backbone
        from relattr.backbones.loading import load_weights, read_state_dict
        from relattr.networks.ranker import Extractor
        from relattr.training.supplement import Supplement

        backbone = Backbone.create(self.supplement, pretrained=not self.supplement_weights)
        if self.supplement_weights:
            path = Path(self.supplement_weights)
            load_weights(backbone.net, read_state_dict(path), path)
        extractor = Extractor(backbone, standardise=self.architecture().standardise)
        return Supplement(extractor.to(run.device)), self.supplement


class WeightsAt:
    """Weights in a file that the user names."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def missing(self) -> str | None:
        return None if self.path.is_file() else f"needs the weights file {self.path}, which is not there"

    def fingerprint(self) -> str:
        from relattr.system.digests import digest_file

        return "weights:" + digest_file(self.path) if self.path.is_file() else f"missing:{self.path.name}"
