"""The four ViralNets of Dubey & Agarwal (MM 2017): spatial transformers crop the image, one network ranks it.

``viralnet`` is Singh & Lee's network (ECCV 2016): one transformer, whole image and crop. ``viralnet-m`` has three, at
full, half and quarter size; ``viralnet-c`` has the features of a frozen category network; ``viralnet-mc`` has both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from relattr import BadInput, register_method
from relattr.needs import Need

from ._categories import categories_decide_labels
from ._ranking_network import RankingNetwork

if TYPE_CHECKING:
    from relattr import Run, TrainingSet
    from relattr.networks.architecture import Architecture
    from relattr.training.objectives import Objective
    from relattr.training.schedule import Schedule

MULTISCALE_SIZES = (0.7, 0.5, 0.36)
"""Sides, relative to the image, of the places among which each transformer of ViralNet-M begins with start=search."""


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """A parameter that is one name or several, as a tuple."""
    return ((names,) if names else ()) if isinstance(names, str) else tuple(names)


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
    relative_scales : initial scale of each transformer relative to ``initial_scale``, for ``multiscale``; the paper
        calls it critical that they differ.
    start : where the transformers begin: ``published``, near the middle of the image with the initial scale;
        ``search``, at the place that the method ``best-place`` with ``cut=image`` finds on the training pairs with this
        backbone, with its size; with ``multiscale``, at the best place of each of the sizes 0.7, 0.5 and 0.36.
    sample_from : whether the transformers at half and quarter size crop the image at full size or the downscaled one.
    gate : what the spatial loss replaces if a crop is centred outside the image: the gradient of the ranking loss in
        that transformer (``crop``, Singh & Lee's code), or the ranking loss of the pair (``pair``, the formulas of
        both papers).
    """

    multiscale: bool = False
    relative_scales: tuple[float, ...] = (1.0, 0.5, 0.25)
    start: Literal["published", "search"] = "published"
    sample_from: Literal["full", "downsampled"] = "full"
    gate: Literal["crop", "pair"] = "crop"

    unpublished_parameters: ClassVar[Sequence[str]] = ("sample_from", "gate")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.multiscale and (len(self.relative_scales) != 3 or not all(0 < s <= 1 for s in self.relative_scales)):
            raise BadInput(f"relative_scales must be three numbers in (0, 1]; got {list(self.relative_scales)}")

    def notes(self) -> Sequence[str]:
        notes = [*super().notes()]
        if self.gate == "crop":
            notes.append(
                "gate=crop: the spatial loss of a crop centred outside the image replaces the ranking gradient of its "
                "transformer, as in Singh and Lee's code; in their and the paper's formula it replaces the pair's "
                "ranking loss (gate=pair)"
            )
        if self.multiscale:
            notes += [
                f"sample_from={self.sample_from}: the paper does not say whether a transformer at half or quarter size "
                "crops the image at full size or the downscaled one",
                "the three transformers have separate weights and see the downscaled images enlarged again, and the "
                "training has Singh and Lee's two stages: the paper does not say",
            ]
        return notes

    def deviations(self) -> Sequence[str]:
        deviations = list(super().deviations())
        if self.start == "search":
            deviations.append("its transformers begin at places chosen by cross-validation, not near the middle")
        return deviations

    def scales(self) -> tuple[float, ...]:
        from relattr.networks.multiscale_pyramid import SCALES

        return SCALES if self.multiscale else SCALES[:1]

    def architecture(self) -> Architecture:
        from dataclasses import replace

        from relattr.training.fitting import crop_side_of

        architecture = super().architecture()
        # the network sees a crop of the image; tests, the one in the middle
        side = crop_side_of(architecture)
        margin = (1 - side) / 2
        starts = tuple(
            ((x0 + x1) / 2 / side - margin / side, (y0 + y1) / 2 / side - margin / side, (x1 - x0) / side)
            for x0, y0, x1, y1 in self._places
        )
        relative = self.relative_scales if self.multiscale else ()
        return replace(architecture, relative_scales=relative, sample_from=self.sample_from, starts=starts)

    @property
    def _places(self) -> list[list[float]]:
        """The places at which the transformers begin, as boxes; none for the published start, and before `fit`."""
        return getattr(self, "start_boxes_", np.zeros((0, 4))).tolist()

    def prepare(self, train: TrainingSet, run: Run) -> None:
        from .best_place import BestPlace

        if self.start == "search":
            # places by themselves, as the network will see them; half of the images are mirrored in training
            search = BestPlace(backbone=self.backbone, cut="image")
            if self.multiscale:
                search.sizes = MULTISCALE_SIZES
            grid, accuracies = search.search(train, run)
            accuracies = (accuracies + accuracies[grid.mirrored]) / 2
            sizes = grid.size_of_place
            candidates = [sizes == k for k in range(3)] if self.multiscale else [sizes >= 0]
            best = [
                int(np.where(of_size, np.nan_to_num(accuracies, nan=-1.0), -2.0).argmax()) for of_size in candidates
            ]
            self.start_boxes_ = grid.boxes[best]

    def state(self) -> dict[str, Any]:
        return {**super().state(), **({"start_boxes_": self.start_boxes_} if self._places else {})}

    def restore(self, state: Mapping[str, Any]) -> None:
        if "start_boxes_" in state:
            self.start_boxes_ = state["start_boxes_"]
        super().restore(state)

    def objective(self, train: TrainingSet, schedule: Schedule) -> Objective:
        from relattr.training.objectives import PairwiseObjective

        return PairwiseObjective(train.pairs, schedule.batch, self.gate, schedule.batching)


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
    """A ViralNet with supplementary features of frozen networks.

    By default one network is trained on the categories of the training images, never on a test image.

    Parameters
    ----------
    category_network : file of a category network that was trained elsewhere and saved by ``relattr category-network``
        (the paper takes that of Viral for popularity).
    supplement : pretrained backbones to use instead, for datasets without categories: one name, or several (the paper
        takes OpenFace for faces, Places205-AlexNet and Hybrid-CNN for OSR).
    supplement_weights : files with other weights for these backbones, one for each.
    """

    file_parameters: ClassVar[Sequence[str]] = ("category_network", "supplement_weights")

    category_network: str = ""
    supplement: str | tuple[str, ...] = ""
    supplement_weights: str | tuple[str, ...] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        names, files = _several(self.supplement), _several(self.supplement_weights)
        if files and len(files) != len(names):
            raise BadInput(
                f"supplement_weights names {len(files)} files for the {len(names)} backbones of supplement; expected "
                "one for each, or none"
            )
        if self.category_network and names:
            raise BadInput("category_network and supplement exclude each other; give one of them")

    @property
    def uses_categories(self) -> bool:  # type: ignore[override]
        """Whether the second network is trained on categories."""
        return not self.supplement and not self.category_network

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import PretrainedWeights

        if self.category_network:
            return (*super().needs(), LocalWeights(self.category_network))
        files = _several(self.supplement_weights)
        weights: list[Need] = [LocalWeights(file) for file in files]
        return (*super().needs(), *(weights or [PretrainedWeights(name) for name in _several(self.supplement)]))

    def deviations(self) -> Sequence[str]:
        deviation = self._supplement_deviation()
        return (*super().deviations(), *([deviation] if deviation else []))

    def notes(self) -> Sequence[str]:
        notes = [*super().notes()]
        if self.uses_categories:
            notes.append("the category network is trained with the schedule of the ranking network")
        elif hasattr(self, "_saved_network"):
            notes.append(self._saved_network)
        elif self.supplement_weights:
            notes.append(f"supplementary features of the networks {self._stated_supplement()}")
        if getattr(self, "_categories_decide", False):
            notes.append(
                "the categories of the training images decide the labels of the pairs: a network that recognises the "
                "category needs to know nothing else"
            )
        return notes

    def _supplement_deviation(self) -> str:
        """How the second network differs from the published one for the dataset of the last `fit`; empty if not."""
        published = getattr(self, "_published", None)
        if self.uses_categories:
            if published is not None and published.categories_of:
                return ""
            network = "trained on the training images"
        elif self.category_network:
            if published is not None and published.categories_of == getattr(self, "_categories_of", ""):
                return ""
            network = f"that of category_network={self.category_network}"
        else:
            if self.supplement_weights and published is not None and published.supplement:
                return ""  # the files are the user's, who knows which networks they are; a note names them
            network = f"pretrained ({self._stated_supplement()})"
        instead = (
            f", the published one {published.supplement}" if published is not None and published.supplement else ""
        )
        return f"its category network is {network}{instead}"

    def _stated_supplement(self) -> str:
        """The parameters of the supplement as text: ``supplement=alexnet``."""
        stated = {"supplement": self.supplement, "supplement_weights": self.supplement_weights}
        return ", ".join(
            f"{name}={value if isinstance(value, str) else list(value)}" for name, value in stated.items() if value
        )

    def supplement_source(self, train: TrainingSet, run: Run) -> tuple[Any, str]:
        if train.categories is not None:
            self._categories_decide = categories_decide_labels(train.pairs, train.categories)
        if self.uses_categories:
            return train.categories, self.backbone
        from relattr.training.supplement import SupplementaryNetwork

        if self.category_network:
            from relattr.training.category_network import load_category_network

            extractor, record = load_category_network(Path(self.category_network))
            self._categories_of = record.dataset
            self._saved_network = (
                f"category_network={self.category_network} was trained on {record.trained_on}: "
                f"{len(record.categories)} categories ({', '.join(record.categories)}), {record.backbone}"
            )
            return [SupplementaryNetwork(extractor.to(run.device))], record.backbone
        from relattr.training.supplement import pretrained_extractor

        names, files = _several(self.supplement), _several(self.supplement_weights)
        networks = []
        for name, file in zip(names, files or ("",) * len(names), strict=True):
            extractor = pretrained_extractor(name, Path(file) if file else None, self.architecture().standardise)
            networks.append(SupplementaryNetwork(extractor.to(run.device)))
        return networks, names[0]


class LocalWeights:
    """The need for a weights file given by the user."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def missing(self) -> str | None:
        from relattr.system.reading import require_regular

        try:
            require_regular(self.path)
        except OSError as error:
            return f"cannot read the weights file {self.path}: {error.strerror}"
        return None

    def fingerprint(self) -> str:
        from relattr.system.digests import digest_file_cached

        return f"missing:{self.path.name}" if self.missing() else "weights:" + digest_file_cached(self.path)
