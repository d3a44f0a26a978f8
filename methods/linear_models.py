"""Linear models on blocks of features: the rows of Table 2, Parikh & Grauman's features, SVM + image features.

Khosla, Das Sarma, Hamid, "What Makes an Image Popular?", WWW 2014 (features, and the regression); Parikh & Grauman,
"Relative Attributes", ICCV 2011 (GIST and colour); Deza & Parikh, "Understanding Image Virality", CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import register_method

from ._feature_blocks import FeatureBlockMethod
from .ranksvm import RankSVMMethod

if TYPE_CHECKING:
    from relattr import Images, Run, TrainingSet

GRADIENT_BLOCKS = ("hog2x2", "hog3x3")
ALL_BLOCKS = ("gist", "color-histogram", "texture", "color-patches", *GRADIENT_BLOCKS, "decaf", "objects")


@register_method(
    "linear-gist", label="GIST", summary="RankSVM on GIST, C chosen on held-out images (Table 2).", blocks=("gist",)
)
@register_method(
    "linear-color-histogram",
    label="Color Histogram",
    summary="RankSVM on a histogram of 50 colour names (Table 2).",
    blocks=("color-histogram",),
)
@register_method(
    "linear-texture", label="Texture", summary="RankSVM on local binary patterns (Table 2).", blocks=("texture",)
)
@register_method(
    "linear-color-patches",
    label="Color Patches",
    summary="RankSVM on encoded patches of colour names (Table 2).",
    blocks=("color-patches",),
)
@register_method(
    "linear-gradient",
    label="Gradient",
    summary="RankSVM on encoded HOG 2x2 and HOG 3x3 (Table 2).",
    blocks=GRADIENT_BLOCKS,
)
@register_method(
    "linear-decaf",
    label="DeCAF Features",
    summary="RankSVM on a layer of a pretrained network, AlexNet fc6 (Table 2).",
    blocks=("decaf",),
    scaling="l2",
)
@register_method(
    "linear-objects",
    label="Objects",
    summary="RankSVM on the class scores of a pretrained network (Table 2).",
    blocks=("objects",),
    scaling="l2",
)
@register_method(
    "linear-combined",
    label="Combined",
    summary="RankSVM on all eight feature blocks of Table 2, each scaled to length 1.",
    blocks=ALL_BLOCKS,
    scaling="l2",
)
@register_method(
    "ranksvm-gist",
    label="RankSVM + GIST",
    summary="RankSVM on GIST, C = 0.1 (Parikh and Grauman, 2011).",
    blocks=("gist",),
    C=0.1,
)
@register_method(
    "ranksvm-gist-color",
    label="RankSVM + GIST + Colour",
    summary="RankSVM on GIST and a histogram of L*a*b* colours, C = 0.1 (Parikh and Grauman, 2011).",
    blocks=("gist", "lab-histogram"),
    C=0.1,
)
@register_method(
    "svm-image-features",
    label="SVM + Image Features",
    summary="RankSVM on standardised GIST, LBP, HOG 2x2 and AlexNet fc6 (Deza and Parikh, 2015).",
    blocks=("gist", "texture", "hog2x2", "decaf"),
    scaling="standard",
)
class RankSVMOnBlocks(FeatureBlockMethod, RankSVMMethod):
    """RankSVM on concatenated blocks of hand-crafted or deep features.

    Without a bias, on differences of features, it equals a classifier of pairs trained on both orders of each pair.
    """

    def deviations(self) -> list[str]:
        deviations = list(super().deviations())
        if self.name == "svm-image-features":
            deviations.append("without the SSIM and dense SIFT of Deza and Parikh; their exact list is not published")
        return deviations

    def notes(self) -> Sequence[str]:
        notes = [*FeatureBlockMethod.notes(self), *RankSVMMethod.notes(self)]
        if self.name.startswith("linear-"):
            notes.append(
                "ranked with RankSVM: the paper does not say how it ranks with these features; Khosla et al. regress "
                "the scores and report rank correlations"
            )
        return notes


@register_method(
    "svr-gist",
    label="SVR on GIST",
    summary="Support vector regression of the scores on GIST (Khosla et al., 2014).",
    blocks=("gist",),
)
@register_method(
    "svr-color-histogram",
    label="SVR on Color Histogram",
    summary="Support vector regression of the scores on a histogram of 50 colour names.",
    blocks=("color-histogram",),
)
@register_method(
    "svr-texture",
    label="SVR on Texture",
    summary="Support vector regression of the scores on local binary patterns.",
    blocks=("texture",),
)
@register_method(
    "svr-color-patches",
    label="SVR on Color Patches",
    summary="Support vector regression of the scores on encoded patches of colour names.",
    blocks=("color-patches",),
)
@register_method(
    "svr-gradient",
    label="SVR on Gradient",
    summary="Support vector regression of the scores on encoded HOG 2x2 and HOG 3x3.",
    blocks=GRADIENT_BLOCKS,
)
@register_method(
    "svr-decaf",
    label="SVR on DeCAF Features",
    summary="Support vector regression of the scores on a layer of a pretrained network, AlexNet fc6.",
    blocks=("decaf",),
    scaling="l2",
)
@register_method(
    "svr-objects",
    label="SVR on Objects",
    summary="Support vector regression of the scores on the class scores of a pretrained network.",
    blocks=("objects",),
    scaling="l2",
)
@register_method(
    "svr-combined",
    label="SVR on Combined",
    summary="Support vector regression of the scores on all eight feature blocks, each scaled to length 1.",
    blocks=ALL_BLOCKS,
    scaling="l2",
)
class LinearSVROnBlocks(FeatureBlockMethod):
    """The model of Khosla et al.: linear support vector regression of the images' scores, without pairs.

    Parameters
    ----------
    C : "auto" selects it from ``Cs``, those of Khosla et al., by the rank correlation on a quarter of the training
        images held out.
    Cs : the values of C that are tried.
    epsilon : errors up to this are not penalised.
    target : ``score`` regresses on the scores (popularity has log2(views / day + 1)), ``rank`` on their ranks; either
        is first standardised to mean 0 and variance 1.
    """

    C: float | Literal["auto"] = "auto"
    Cs: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)
    epsilon: float = 0.1
    target: Literal["score", "rank"] = "score"

    uses_scores: ClassVar[bool] = True
    # on ranks, which reversed labels reverse exactly; scores with a heavy tail have no such counterpart
    check_with: ClassVar[dict[str, Any]] = {**FeatureBlockMethod.check_with, "target": "rank"}

    def notes(self) -> Sequence[str]:
        notes = list(super().notes())
        if self.C == "auto" and getattr(self, "C_", None) in (min(self.Cs), max(self.Cs)):
            notes.append(f"C = {self.C_:g} is an end of the values of Khosla et al.; a better one may lie beyond it")
        return notes

    def fit(self, train: TrainingSet, run: Run) -> None:
        from scipy.stats import rankdata

        from relattr.statistics import spearman

        assert train.scores is not None
        self.prepare(train.images, run)
        x = self.features(train.images)
        y = np.asarray(train.scores, np.float64)
        y = rankdata(y) if self.target == "rank" else y
        y = (y - y.mean()) / (y.std() or 1.0)
        if self.C == "auto":
            shuffled = run.rng("held out").permutation(len(y))
            held_out, rest = np.split(shuffled, [max(1, len(y) // 4)])
            correlations = []
            for c in sorted(self.Cs):
                predicted = x[held_out] @ self._regress(x[rest], y[rest], c)
                correlations.append(spearman(predicted, y[held_out]) or 0.0)
            self.C_ = float(sorted(self.Cs)[int(np.argmax(correlations))])
        else:
            self.C_ = float(self.C)
        self.coef_ = self._regress(x, y, self.C_)

    def _regress(self, x: NDArray[np.float32], y: NDArray[np.float64], c: float) -> NDArray[np.float32]:
        from sklearn.svm import LinearSVR

        # the squared loss is smooth, so the primal problem can be solved for any number of images, without randomness
        model = LinearSVR(
            C=c, epsilon=self.epsilon, loss="squared_epsilon_insensitive", dual=False, max_iter=10_000, tol=1e-3
        )
        return np.asarray(model.fit(x, y).coef_, np.float32).ravel()

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_
