"""RankSVM on image features: HOG 2x2, and layers of pretrained networks.

Parikh & Grauman, "Relative Attributes", ICCV 2011, on the features of Tables 1 to 3 of Dubey & Agarwal (MM'17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import Method, register_method
from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.needs import Need

from ._backbone_deviation import backbone_deviations
from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Run, TrainingSet


class RankSVMMethod(FitRun, Method):
    """Base class: a linear ranking function on fixed features of the images, which a subclass defines.

    Parameters
    ----------
    C : weight of the loss of one pair; "auto" selects a power of ten on training pairs held out by image (see
        `relattr.ranksvm.RankSVMCV`).
    loss : the loss of a pair as a function of its margin.
    """

    C: float | Literal["auto"] = "auto"
    loss: Literal["squared_hinge", "logistic"] = "squared_hinge"

    unpublished_parameters: ClassVar[Sequence[str]] = ("C", "loss", "words")

    def notes(self) -> Sequence[str]:
        if self.C != "auto":
            return ()
        notes = ["C is chosen on training pairs held out by image; no publication states the C of this row"]
        if end := getattr(self, "C_end_", ""):
            notes.append(f"C = {self.C_:g} is the {end} end of the values tried; a better one may lie beyond it")
        return notes

    def prepare(self, images: Images, run: Run) -> None:
        """Learn what the features depend on, such as a dictionary, from the training images."""

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of these images, ``(n, d)`` float32."""
        raise TypeError(f"{type(self).__name__} does not define features(images)")

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.ranksvm import RankSVM, RankSVMCV

        self._run = run
        self.prepare(train.images, run)
        x = self.features(train.images)
        if self.C == "auto":
            search = RankSVMCV(loss=self.loss, seed=run.seed_for("folds")).fit(x, train.pairs)
            self.C_, self.C_end_, self.coef_ = search.C_, search.end_, search.coef_
        else:
            self.C_, self.coef_ = float(self.C), RankSVM(C=self.C, loss=self.loss).fit(x, train.pairs).coef_

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_


@register_method(
    "ranksvm-hog2x2",
    label="RankSVM + 2x2 Dense HOG Features",
    summary="RankSVM on encoded HOG 2x2 with a spatial pyramid.",
)
class RankSVMOnHOG(RankSVMMethod):
    """RankSVM on dense HOG 2x2: a dictionary of 256 words from the training images, LLC, a pyramid of 21 cells.

    Parameters
    ----------
    words : size of the dictionary.
    """

    words: int = 256

    def notes(self) -> Sequence[str]:
        encoding = "HOG 2x2 is encoded as in the toolbox of Khosla et al.; the paper does not state its encoding"
        return (*super().notes(), encoding)

    def prepare(self, images: Images, run: Run) -> None:
        from relattr.features.blocks import learn_dictionary

        self.words_ = learn_dictionary("hog2x2", images, run.seed_for("dictionary"), self.words)

    def features(self, images: Images) -> NDArray[np.float32]:
        from relattr.features.blocks import encoded_features

        return encoded_features("hog2x2", images, self.words_, threads=self.fit_run.threads)


@register_method(
    "ranksvm-alexnet-fc6",
    label="RankSVM + AlexNet fc6 Features",
    summary="RankSVM on layer fc6 of a pretrained AlexNet.",
    backbone="alexnet",
    layer="fc6",
)
@register_method(
    "ranksvm-alexnet-fc7",
    label="RankSVM + AlexNet fc7 Features",
    summary="RankSVM on layer fc7 of a pretrained AlexNet, C chosen on held-out images.",
    backbone="alexnet",
    layer="fc7",
)
@register_method(
    "ranksvm-vgg16-fc6",
    label="RankSVM + VGGNet-16 fc6 Features",
    summary="RankSVM on layer fc6 of a pretrained VGG-16.",
    backbone="vgg16",
    layer="fc6",
)
@register_method(
    "ranksvm-vgg16-fc7",
    label="RankSVM + VGGNet-16 fc7 Features",
    summary="RankSVM on layer fc7 of a pretrained VGG-16.",
    backbone="vgg16",
    layer="fc7",
)
@register_method(
    "ranksvm-cnn",
    label="RankSVM + CNN features",
    summary="RankSVM on the features of a pretrained network before its classifier, C chosen on held-out images.",
)
@register_method(
    "parikh-grauman-cnn",
    label="Parikh and Grauman + CNN",
    summary="RankSVM on the last feature map of a pretrained network, C = 0.1 (Table 3, published with AlexNet).",
    C=0.1,
    layer="spatial",
)
class RankSVMOnBackbone(RankSVMMethod):
    """RankSVM on a layer of a pretrained network; by default the one before its classifier (AlexNet: fc7).

    The published row "Parikh and Grauman + CNN" is on pool5 of AlexNet, 9,216 numbers with positions (Xiao & Lee 2015,
    section 4). The layer ``spatial`` is that layer of AlexNet, and of other networks the last feature map, averaged
    over 3 x 3 parts of the image.

    Parameters
    ----------
    backbone : the pretrained network.
    layer : the layer that gives the features; None is the one before the classifier.
    """

    backbone: str = DEFAULT_BACKBONE
    layer: str | None = None

    published_parameters: ClassVar[Mapping[str, Any]] = {"backbone": "caffenet"}

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import backbone_needs

        return backbone_needs(self.backbone)

    def deviations(self) -> Sequence[str]:
        return backbone_deviations(self.backbone)

    def features(self, images: Images) -> NDArray[np.float32]:
        from relattr.backbones.extraction import cached_deep_features

        return cached_deep_features(images, self.backbone, self.layer, device=self.fit_run.device)
