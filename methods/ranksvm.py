"""RankSVM on image features: HOG 2x2, and layers of pretrained networks.

Parikh & Grauman, "Relative Attributes", ICCV 2011, on the features of Tables 1 to 3 of Dubey & Agarwal (MM'17).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from relattr import Method, register_method
from relattr.needs import DEEP, Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Run, TrainingSet


class RankSVMOnFeatures(Method):
    """A linear ranking function on fixed features of the images; a subclass says which features.

    ``C`` is the weight of one pair's squared hinge loss; "auto" chooses it among 1e-4 ... 1e3 on training
    pairs held out by image.
    """

    C: float | Literal["auto"] = "auto"
    loss: Literal["squared_hinge", "logistic"] = "squared_hinge"

    def prepare(self, images: Images, run: Run) -> None:
        """Learn from the training images what the features themselves need."""

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of these images, ``(n, d)`` float32."""
        raise TypeError(f"{type(self).__name__} does not define features(images)")

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.ranksvm import RankSVM, RankSVMCV

        self._run = run
        self.prepare(train.images, run)
        x = self.features(train.images)
        if self.C == "auto":
            chosen = RankSVMCV(loss=self.loss, seed=run.seed_for("folds")).fit(x, train.pairs)
            self.C_, self.coef_ = float(chosen.C_), chosen.coef_
        else:
            self.C_, self.coef_ = self.C, RankSVM(C=self.C, loss=self.loss).fit(x, train.pairs).coef_

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_

    @property
    def _circumstances(self) -> Run:
        """Those of the fit; the usual ones for a method that was loaded."""
        from relattr import Run

        return getattr(self, "_run", Run())


@register_method("ranksvm-hog2x2", label="RankSVM + 2x2 Dense HOG Features")
class RankSVMOnHOG(RankSVMOnFeatures):
    """RankSVM on 2x2 dense HOG: 256 words learned from the training images, LLC, a pyramid of 21 cells."""

    words: int = 256

    def prepare(self, images: Images, run: Run) -> None:
        from relattr.features.blocks import learn_words

        self.words_ = learn_words("hog2x2", images, run.seed_for("dictionary"), self.words)

    def features(self, images: Images) -> NDArray[np.float32]:
        from relattr.features.blocks import coded_rows

        return coded_rows("hog2x2", images, self.words_, threads=self._circumstances.threads)


@register_method("ranksvm-alexnet-fc6", label="RankSVM + AlexNet fc6 Features", layer="fc6")
@register_method("ranksvm-alexnet-fc7", label="RankSVM + AlexNet fc7 Features", layer="fc7")
@register_method("ranksvm-vgg16-fc6", label="RankSVM + VGGNet-16 fc6 Features", backbone="vgg16", layer="fc6")
@register_method("ranksvm-vgg16-fc7", label="RankSVM + VGGNet-16 fc7 Features", backbone="vgg16", layer="fc7")
@register_method("parikh-grauman-cnn", label="Parikh and Grauman + CNN", C=0.1)
class RankSVMOnBackbone(RankSVMOnFeatures):
    """RankSVM on a layer of a pretrained network; by default the one before its classifier (AlexNet: fc7)."""

    backbone: str = "alexnet"
    layer: str | None = None

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import Weights

        return (DEEP, Weights(self.backbone))

    def deviations(self) -> Sequence[str]:
        if self.backbone == "alexnet":
            return ("torchvision's AlexNet, which has other filter counts and no normalisation layers, not Caffe's",)
        return ()

    def features(self, images: Images) -> NDArray[np.float32]:
        from relattr.backbones.extraction import cached_deep_features

        return cached_deep_features(images, self.backbone, self.layer, device=self._circumstances.device)
