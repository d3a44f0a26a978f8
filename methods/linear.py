"""Linear models on classic features: the rows of Table 2, Parikh & Grauman's own features, SVM + image features.

Khosla, Das Sarma, Hamid, "What Makes an Image Popular?", WWW 2014 (features, and the regression); Parikh & Grauman,
"Relative Attributes", ICCV 2011 (GIST and colour); Deza & Parikh, "Understanding Image Virality", CVPR 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relattr import register_method

from ._blocks import OnBlocks
from .ranksvm import RankSVMOnFeatures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Run, TrainingSet

GRADIENT = ("hog2x2", "hog3x3")
EVERYTHING = ("gist", "color-histogram", "texture", "color-patches", *GRADIENT, "decaf", "objects")


@register_method("linear-gist", label="GIST", blocks=("gist",))
@register_method("linear-color-histogram", label="Color Histogram", blocks=("color-histogram",))
@register_method("linear-texture", label="Texture", blocks=("texture",))
@register_method("linear-color-patches", label="Color Patches", blocks=("color-patches",))
@register_method("linear-gradient", label="Gradient", blocks=GRADIENT)
@register_method("linear-decaf", label="DeCAF Features", blocks=("decaf",))
@register_method("linear-objects", label="Objects", blocks=("objects",))
@register_method("linear-combined", label="Combined", blocks=EVERYTHING, scaling="l2")
@register_method("ranksvm-gist", label="RankSVM + GIST", blocks=("gist",), C=0.1)
@register_method("ranksvm-gist-color", label="RankSVM + GIST + Colour", blocks=("gist", "lab-histogram"), C=0.1)
@register_method(
    "svm-image-features",
    label="SVM + Image Features",
    blocks=("gist", "texture", "hog2x2", "decaf"),
    scaling="standard",
)
class RankSVMOnBlocks(OnBlocks, RankSVMOnFeatures):
    """RankSVM on the features that the name says, classic ones or a network's, put side by side.

    Without a bias, on differences of features, it is the pair SVM trained on both orders of each pair.
    """

    def deviations(self) -> list[str]:
        found = list(super().deviations())
        if self.name == "svm-image-features":
            found.append("without the SSIM and dense SIFT of Deza and Parikh; their exact list is not published")
        return found


@register_method("svr-gist", label="SVR on GIST", blocks=("gist",))
@register_method("svr-color-histogram", label="SVR on Color Histogram", blocks=("color-histogram",))
@register_method("svr-texture", label="SVR on Texture", blocks=("texture",))
@register_method("svr-color-patches", label="SVR on Color Patches", blocks=("color-patches",))
@register_method("svr-gradient", label="SVR on Gradient", blocks=GRADIENT)
@register_method("svr-decaf", label="SVR on DeCAF Features", blocks=("decaf",))
@register_method("svr-objects", label="SVR on Objects", blocks=("objects",))
@register_method("svr-combined", label="SVR on Combined", blocks=EVERYTHING, scaling="l2")
class LinearSVROnBlocks(OnBlocks):
    """Khosla's own model: a linear support vector regression on the images' scores, which knows no pairs.

    ``target`` ``score`` regresses on the scores as they are (popularity has log2(views / day + 1)), ``rank`` on
    their ranks; either is first brought to mean 0 and variance 1. ``C`` "auto" chooses among the ``Cs`` of Khosla
    et al. by the rank correlation on a quarter of the training images held out.
    """

    C: float | Literal["auto"] = "auto"
    Cs: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)
    epsilon: float = 0.1
    target: Literal["score", "rank"] = "score"

    uses_scores: ClassVar[bool] = True
    # on ranks, so that the opposite labels are the opposite targets; scores with a heavy tail have no opposite
    check_with: ClassVar[dict[str, Any]] = {**OnBlocks.check_with, "target": "rank"}

    def fit(self, train: TrainingSet, run: Run) -> None:
        import numpy as np

        from relattr.statistics import spearman
        from relattr.statistics.correlation import mean_ranks

        assert train.scores is not None
        self.prepare(train.images, run)
        x = self.features(train.images)
        y = np.asarray(train.scores, np.float64)
        y = mean_ranks(y) if self.target == "rank" else y
        y = (y - y.mean()) / (y.std() or 1.0)
        if self.C == "auto":
            order = run.rng("held out").permutation(len(y))
            held_out, kept = np.split(order, [max(1, len(y) // 4)])
            found = []
            for c in sorted(self.Cs):
                guess = x[held_out] @ self._regress(x[kept], y[kept], c)
                found.append(spearman(guess, y[held_out]) or 0.0)
            self.C_ = float(sorted(self.Cs)[int(np.argmax(found))])
        else:
            self.C_ = float(self.C)
        self.coef_ = self._regress(x, y, self.C_)

    def _regress(self, x: NDArray[np.float32], y: NDArray[np.float64], c: float) -> NDArray[np.float32]:
        import numpy as np
        from sklearn.svm import LinearSVR

        # the squared loss is smooth, so that the primal problem is solved for any number of images; no random order
        model = LinearSVR(
            C=c, epsilon=self.epsilon, loss="squared_epsilon_insensitive", dual=False, max_iter=10_000, tol=1e-3
        )
        return np.asarray(model.fit(x, y).coef_, np.float32).ravel()

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_
