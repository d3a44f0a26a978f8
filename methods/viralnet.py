"""The four ViralNets of Dubey & Agarwal (MM 2017): spatial transformers crop the image, one network ranks it.

``viralnet`` is Singh & Lee's network (ECCV 2016): one transformer, whole image and crop. ``viralnet-m`` has three, at
full, half and quarter size; ``viralnet-c`` has the features of a frozen category network; ``viralnet-mc`` has both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relattr import register_method
from relattr.needs import Need

from ._ranking_network import RankingNetwork

if TYPE_CHECKING:
    from relattr import Run, TrainingSet
    from relattr.training.objectives import Objective


@register_method(
    "viralnet",
    label="ViralNet",
    summary="Ranks an image by itself and the crop of one spatial transformer (Singh and Lee, 2016).",
)
@register_method(
    "viralnet-m", label="ViralNet-M", summary="ViralNet with spatial transformers at three scales.", multiscale=True
)
class ViralNet(RankingNetwork):
    """Ranks an image by the whole image and by the crops of its spatial transformers.

    Parameters
    ----------
    multiscale : three transformers instead of one.
    gate : what the spatial loss replaces if a crop is centred outside the image: the gradient of the ranking loss in
        that transformer (``crop``, Singh & Lee's code), or the ranking loss of the pair (``pair``, the paper's
        formula).
    """

    multiscale: bool = False
    gate: Literal["crop", "pair"] = "crop"

    def scales(self) -> tuple[float, ...]:
        from relattr.networks.multiscale_pyramid import SCALES

        return SCALES if self.multiscale else SCALES[:1]

    def objective(self, train: TrainingSet, batch: int) -> Objective:
        from relattr.training.objectives import PairwiseObjective

        return PairwiseObjective(train.pairs, batch, self.gate)


@register_method(
    "viralnet-c",
    label="ViralNet-C",
    summary="ViralNet with the features of a second network, trained on categories or pretrained.",
)
@register_method(
    "viralnet-mc",
    label="ViralNet-MC",
    summary="ViralNet with three scales and the features of a second network.",
    multiscale=True,
)
class ViralNetC(ViralNet):
    """A ViralNet with supplementary features of a frozen second network.

    By default the second network is trained on the categories of the training images, never on a test image.

    Parameters
    ----------
    supplement : a pretrained backbone to use instead, for datasets without categories (the paper takes OpenFace for
        faces and Places205-AlexNet for OSR).
    supplement_weights : file with other weights for that backbone.
    """

    supplement: str = ""
    supplement_weights: str = ""

    @property
    def uses_categories(self) -> bool:  # type: ignore[override]
        """Whether the second network is trained on categories."""
        return not self.supplement

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import PretrainedWeights

        if not self.supplement:
            return super().needs()
        weights = (
            LocalWeights(self.supplement_weights) if self.supplement_weights else PretrainedWeights(self.supplement)
        )
        return (*super().needs(), weights)

    def deviations(self) -> Sequence[str]:
        network = f"the pretrained {self.supplement}" if self.supplement else "a network trained on the training images"
        return (*super().deviations(), f"its category network is {network}")

    @property
    def supplement_backbone(self) -> str:
        return self.supplement or self.backbone

    def supplement_source(self, train: TrainingSet, run: Run) -> tuple[Any, str]:
        if not self.supplement:
            return train.categories, self.backbone
        from relattr.backbones.backbone import Backbone
        from relattr.backbones.loading import load_weights, read_state_dict
        from relattr.networks.scoring import Extractor
        from relattr.training.category_network import SupplementaryNetwork

        backbone = Backbone.create(self.supplement, pretrained=not self.supplement_weights)
        if self.supplement_weights:
            path = Path(self.supplement_weights)
            load_weights(backbone.net, read_state_dict(path), path)
        extractor = Extractor(backbone, standardise=self.architecture().standardise)
        return SupplementaryNetwork(extractor.to(run.device)), self.supplement


class LocalWeights:
    """The need for a weights file given by the user."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def missing(self) -> str | None:
        return None if self.path.is_file() else f"the weights file {self.path} does not exist"

    def fingerprint(self) -> str:
        from relattr.system.digests import digest_file

        return "weights:" + digest_file(self.path) if self.path.is_file() else f"missing:{self.path.name}"
