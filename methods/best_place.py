"""RankSVM on crops at the best fixed places: a baseline for spatial transformers on aligned images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import BadInput, Method, register_method
from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.mixins import InspectionMixin
from relattr.needs import Need

from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Pairs, Run, TrainingSet
    from relattr.backbones.places import PlaceGrid

MAX_SEARCH_IMAGES = 2000
"""Number of training images that places are compared on, at most."""
_CHUNK = 512


def images_of_random_pairs(pairs: Pairs, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The images of randomly chosen pairs, at most ``limit`` of them, in ascending order."""
    chosen = pairs.take(rng.choice(len(pairs), min(len(pairs), limit), replace=False))
    images, first = np.unique(np.stack([chosen.left, chosen.right], 1), return_index=True)
    return np.sort(images[np.argsort(first)[:limit]]).astype(np.int64)


@register_method(
    "best-place",
    label="Best Place",
    summary="RankSVM on crops at fixed places, chosen by cross-validation on training images.",
)
class BestPlace(InspectionMixin, FitRun, Method):
    """RankSVM on deep features of a few crops at fixed places, the same in all images.

    A RankSVM is evaluated on each place of a grid by itself, by cross-validation over the training images; the places
    with the highest accuracy are used. Not from a publication: it measures what a spatial transformer that finds the
    best fixed place would gain on aligned images, such as the faces of LFW-10.

    Parameters
    ----------
    backbone : pretrained network that gives the features.
    places : number of places.
    sizes : sides of the places relative to the image, in (0, 1).
    cut : what the places are cut out of: ``map``, the feature map of the whole image, in one forward pass for all
        places, or ``image``, in one forward pass for each.
    layer : for ``cut="map"``, the layer of the backbone whose map it is; by default the last one with about 16 pixels
        per cell.
    resolution : side in pixels that the backbone sees: of the whole image for ``cut="map"``, by default twice the
        backbone's input size, or of each place for ``cut="image"``, by default half of it.
    parts : for ``cut="map"``, the features of a place are means over parts x parts of it.
    step : largest distance between neighbouring places, in cells of the map, or in 28ths of the image.
    whole : whether the features of the whole image, from the last layer, are used too.
    C : weight of the loss of one pair.
    """

    backbone: str = DEFAULT_BACKBONE
    places: int = 3
    sizes: tuple[float, ...] = (0.36, 0.5)
    cut: Literal["map", "image"] = "map"
    layer: str | None = None
    resolution: int | None = None
    parts: int = 2
    step: int = 3
    whole: bool = False
    C: float = 1.0

    check_with: ClassVar[Mapping[str, Any]] = {"backbone": "micro", "sizes": (0.5,), "places": 2}

    def __post_init__(self) -> None:
        if self.places < 1:
            raise BadInput(f"places must be at least 1; got {self.places}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import backbone_needs

        return backbone_needs(self.backbone)

    def notes(self) -> Sequence[str]:
        return ("not from a publication: crops at fixed places, chosen by cross-validation over training images",)

    @cached_property
    def grid(self) -> PlaceGrid:
        """The places to choose from; to list them, the network is built once."""
        from relattr.backbones.places import CropPlaces, MapPlaces

        if self.cut == "image":
            return CropPlaces(self.backbone, self.sizes, crop_size=self.resolution, step=self.step)
        return MapPlaces(
            self.backbone, self.sizes, layer=self.layer, input_size=self.resolution, parts=self.parts, step=self.step
        )

    def search(self, train: TrainingSet, run: Run) -> tuple[PlaceGrid, NDArray[np.float64]]:
        """The grid, and the validation accuracy ``(p,)`` of each of its places; NaN for the whole image.

        With more than `MAX_SEARCH_IMAGES` images, only that many are used: those of randomly chosen pairs.
        """
        from relattr.ranksvm.block_validation import block_accuracies, gram_matrix

        grid = self.grid
        chosen = np.arange(len(train.images))
        if len(chosen) > MAX_SEARCH_IMAGES:
            chosen = images_of_random_pairs(train.pairs, MAX_SEARCH_IMAGES, run.rng("search"))
        loaded = grid.load(train.images.subset(chosen), device=run.device)
        pairs = train.pairs.among(chosen).renumbered(chosen)
        grams = (gram_matrix(grid.features(loaded, place)) for place in range(1, len(grid.boxes)))
        accuracies = block_accuracies(grams, pairs, C=self.C, seed=run.seed_for("folds"))
        return grid, np.concatenate([[np.nan], accuracies])

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.ranksvm import RankSVM

        self._run = run
        grid, accuracies = self.search(train, run)
        # the first of equally good ones, and the first of all if the accuracies are unknown
        best = np.argsort(-accuracies[1:], kind="stable")[: self.places] + 1
        self.places_, self.boxes_ = best, grid.boxes[best]
        self.validation_accuracy_ = float(accuracies[best[0]])
        self.coef_ = RankSVM(C=self.C).fit(self.features(train.images), train.pairs).coef_

    def features(self, images: Images) -> NDArray[np.float32]:
        """The features of the chosen places, and of the whole image if it is used, ``(n, d)``, of unit norm."""
        from relattr.backbones.extraction import cached_deep_features

        device = self.fit_run.device
        grid = self.grid
        places = self.places_.tolist()
        blocks = [np.empty((len(images), grid.dim), np.float32) for _ in places]
        for start in range(0, len(images), _CHUNK):  # the maps of all images may be larger than the memory
            rows = np.arange(start, min(start + _CHUNK, len(images)))
            loaded = grid.load(images.subset(rows), device=device)
            for block, place in zip(blocks, places, strict=True):
                block[rows] = grid.features(loaded, place)
        if self.whole:
            blocks.append(cached_deep_features(images, self.backbone, device=device, crop="resize"))
        return np.concatenate(blocks, 1) / np.float32(len(blocks) ** 0.5)

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.features(images) @ self.coef_

    def boxes(self, images: Images) -> NDArray[np.floating[Any]]:
        return np.repeat(self.boxes_[None], len(images), axis=0)
