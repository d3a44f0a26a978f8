"""RankSVM on crops at the best fixed places: the yardstick of spatial transformers on aligned images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from relattr import BadInput, Method, register_method
from relattr.mixins import InspectionMixin
from relattr.needs import Need

from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Run, TrainingSet
    from relattr.backbones.places import PlaceGrid


@register_method(
    "best-place",
    label="Best Place",
    summary="RankSVM on crops at fixed places, chosen by cross-validation on training images.",
)
class BestPlace(InspectionMixin, FitRun, Method):
    """RankSVM on deep features of a few crops at fixed places, the same in all images.

    The places are chosen from a grid, one after another: each time the one with which cross-validation over training
    images orders most held-out pairs. Not from a publication; it says what a transformer that finds the best fixed
    place would gain, on aligned images such as the faces of LFW-10.

    Parameters
    ----------
    backbone : pretrained network that gives the features, the last feature map averaged over each place.
    places : number of places.
    sizes : sides of the places relative to the image, in (0, 1).
    resolution : side in pixels at which the network sees each place, and the whole image.
    step : distance of neighbouring places in cells of the feature map.
    whole : whether the whole image is used too.
    C : weight of the loss of one pair.
    """

    backbone: str = "efficientnet_lite0"
    places: int = 3
    sizes: tuple[float, ...] = (0.4, 0.57)
    resolution: int = 128
    step: int = 1
    whole: bool = True
    C: float = 0.1

    check_with: ClassVar[Mapping[str, Any]] = {"backbone": "micro", "resolution": 64, "sizes": (0.5,), "places": 2}

    def __post_init__(self) -> None:
        if self.places < 1:
            raise BadInput(f"places must be at least 1; got {self.places}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import backbone_needs

        return backbone_needs(self.backbone)

    def notes(self) -> Sequence[str]:
        return ("not from a publication: crops at fixed places, chosen by cross-validation over training images",)

    def grid(self) -> PlaceGrid:
        """The places to choose from."""
        from relattr.backbones.places import PlaceGrid

        return PlaceGrid(self.backbone, self.sizes, self.resolution, self.step)

    def choose(self, train: TrainingSet, run: Run) -> NDArray[np.float32]:
        """Choose the places, and return the features of the training images on all of them, ``(n, p, d)``."""
        from relattr.ranksvm.forward_selection import choose_blocks, gram_matrix

        self._run = run
        grid = self.grid()
        features = grid.features(train.images, device=run.device)
        grams = [gram_matrix(features[:, k]) for k in range(features.shape[1])]
        choice = choose_blocks(
            grams[1:],
            train.pairs,
            self.places,
            C=self.C,
            seed=run.seed_for("folds"),
            base=grams[0] if self.whole else None,
        )
        self.places_ = np.array(choice.blocks) + 1
        self.boxes_ = grid.boxes[self.places_]
        self.validation_accuracy_ = choice.accuracies[-1]
        return features

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.ranksvm import RankSVM

        features = self.choose(train, run)
        self.coef_ = RankSVM(C=self.C).fit(self._chosen(features), train.pairs).coef_

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self._chosen(self.grid().features(images, device=self.fit_run.device)) @ self.coef_

    def boxes(self, images: Images) -> NDArray[np.floating[Any]]:
        return np.repeat(self.boxes_[None], len(images), axis=0)

    def _chosen(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features of the chosen places, and of the whole image, ``(n, d)``."""
        columns = [0, *self.places_] if self.whole else self.places_
        return np.ascontiguousarray(features[:, columns].reshape(len(features), -1))
