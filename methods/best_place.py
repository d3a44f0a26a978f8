"""RankSVM on crops at the best fixed places: the yardstick of spatial transformers on aligned images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from relattr import BadInput, Method, register_method
from relattr.backbones.names import DEFAULT_BACKBONE
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
    layer : of the backbone, whose feature map places are cut out of; by default the last one with a cell for about 16
        pixels.
    resolution : side in pixels that the whole image is resized to; by default the backbone's input size.
    parts : the features of a place are means over parts x parts of it.
    step : distance of neighbouring places in cells of the map.
    whole : whether the last layer's features of the whole image are used too.
    C : weight of the loss of one pair.
    """

    backbone: str = DEFAULT_BACKBONE
    places: int = 3
    sizes: tuple[float, ...] = (0.36, 0.5)
    layer: str | None = None
    resolution: int | None = None
    parts: int = 2
    step: int = 1
    whole: bool = True
    C: float = 0.1

    check_with: ClassVar[Mapping[str, Any]] = {"backbone": "micro", "sizes": (0.5,), "places": 2}

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

        return PlaceGrid(
            self.backbone, self.sizes, layer=self.layer, input_size=self.resolution, parts=self.parts, step=self.step
        )

    def choose(self, train: TrainingSet, run: Run) -> None:
        """Choose the places."""
        from relattr.ranksvm.forward_selection import choose_blocks, gram_matrix

        self._run = run
        grid = self.grid()
        maps = grid.maps(train.images, device=run.device)
        grams = [gram_matrix(grid.features(maps, place)) for place in range(1, len(grid.boxes))]
        base = gram_matrix(self._whole_features(train.images)) if self.whole else None
        choice = choose_blocks(grams, train.pairs, self.places, base=base, C=self.C, seed=run.seed_for("folds"))
        self.places_ = np.array(choice.blocks) + 1
        self.boxes_ = grid.boxes[self.places_]
        self.validation_accuracy_ = choice.accuracies[-1]

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.ranksvm import RankSVM

        self.choose(train, run)
        self.coef_ = RankSVM(C=self.C).fit(self.features(train.images), train.pairs).coef_

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of the chosen places, after those of the whole image if it is used, ``(n, d)``."""
        grid = self.grid()
        maps = grid.maps(images, device=self.fit_run.device)
        blocks = [self._whole_features(images)] if self.whole else []
        return np.concatenate([*blocks, *(grid.features(maps, place) for place in self.places_.tolist())], 1)

    def _whole_features(self, images: Images) -> NDArray[np.float32]:
        from relattr.backbones.extraction import cached_deep_features

        return cached_deep_features(images, self.backbone, device=self.fit_run.device, crop="resize")

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_

    def boxes(self, images: Images) -> NDArray[np.floating[Any]]:
        return np.repeat(self.boxes_[None], len(images), axis=0)
