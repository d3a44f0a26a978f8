"""RankSVM on image features: HOG 2x2, and layers of pretrained networks.

Parikh & Grauman, "Relative Attributes", ICCV 2011, on the features of Dubey & Agarwal (MM'17), Tables 1 to 3.
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
    """A linear ranking function on fixed features of the images; a subclass says which.

    ``C`` weighs a pair's loss (METHODS: the code's C multiplies one half of the squared hinge); "auto"
    chooses it on training pairs held out by image.
    """

    C: float | Literal["auto"] = "auto"
    loss: Literal["squared_hinge", "logistic"] = "squared_hinge"

    def prepare(self, images: Images, run: Run) -> None:
        """Learn what the features themselves need from the training images."""

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of these images, ``(n, d)`` float32."""
        raise TypeError(f"{type(self).__name__} does not define features(images)")

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.ranksvm import RankSVM, RankSVMCV

        self.prepare(train.images, run)
        x = self.features(train.images)
        if self.C == "auto":
            solver: Any = RankSVMCV(loss=self.loss, seed=run.seed_for("folds"))
        else:
            solver = RankSVM(C=self.C, loss=self.loss)
        solver.fit(x, train.pairs)
        self.coef_ = solver.coef_
        self.C_ = float(solver.C_ if self.C == "auto" else self.C)

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_
