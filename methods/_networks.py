"""What siamese networks, ViralNets and regressions share: parameters, fitting, keeping, looking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from relattr import BadInput, Method
from relattr.needs import DEEP, Need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Run, TrainingSet
    from relattr.networks.build import Architecture
    from relattr.training.fitting import FittedRanker
    from relattr.training.objectives import Objective
    from relattr.training.schedule import Schedule

NEIGHBOURS = 8
"""Nearest training images that a fitted network keeps for each training image (Figure 5)."""
SCHEDULED = (
    "updates",
    "batch",
    "rate",
    "head_batches",
    "localiser_rate",
    "stages",
    "frozen",
    "frozen_localiser",
    "standardise",
    "crop",
    "view",
    "test_views",
)
"""The parameters that, where they are given, take the place of the preset's."""


class RankingNetwork(Method):
    """A network that gives each image a strength; a subclass says which, and what it is trained on.

    ``preset`` is how it is trained: ``paper``, Singh & Lee's schedule, or ``fast``, ours for two processor cores.
    Each of ``updates`` (optimisation steps a stage), ``batch`` (images), ``rate`` (the learning rate),
    ``head_batches`` (how many batches the score layer alone is first fitted to), ``localiser_rate`` (what the rate is
    multiplied by for the localisers), ``stages``, ``frozen`` (the share of the backbone's layers that is not
    trained), ``frozen_localiser``, ``standardise``, ``crop`` and ``view`` (pixels a side of crops and of what
    localisers see, against the backbone's input size) and ``test_views`` (crops of an image in a test: 1, 2 or 10)
    takes the place of the preset's. ``held_out`` is the share of the training images that is not trained on but shown
    beside the loss; nothing is chosen by it.
    """

    backbone: str = "alexnet"
    preset: Literal["paper", "fast"] = "paper"
    updates: int | None = None
    batch: int | None = None
    rate: float | None = None
    head_batches: int | None = None
    localiser_rate: float | None = None
    stages: int | None = None
    frozen: float | None = None
    frozen_localiser: bool | None = None
    standardise: bool | None = None
    crop: float | None = None
    view: float | None = None
    test_views: int | None = None
    held_out: float = 0.0

    check_with: ClassVar[Mapping[str, Any]] = {
        "backbone": "micro",
        "preset": "fast",
        "updates": 30,
        "batch": 24,
        "rate": 0.01,
        "crop": 1.0,
        "view": 1.0,
        "test_views": 1,
    }

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 0.5:
            raise BadInput(f"held_out must be a share in [0, 0.5); got {self.held_out}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.weights import Weights

        return (DEEP, Weights(self.backbone))

    def deviations(self) -> Sequence[str]:
        found = []
        if self.preset == "fast":
            found.append("trained with the preset fast (relattr's own, for two processor cores), not the paper's")
        given = [f"{name}={getattr(self, name)}" for name in SCHEDULED if getattr(self, name) is not None]
        if given:
            found.append(f"trained with {', '.join(given)} in place of the preset's")
        if self.held_out:
            found.append(f"trained on {1 - self.held_out:.0%} of the training images")
        if self.backbone == "alexnet":
            found.append("torchvision's AlexNet: other filter counts than Caffe's, and no normalisation layers")
        return found

    # ------------------------------------------------------------------ what a subclass says

    def scales(self) -> tuple[float, ...]:
        """One a transformer: the size of the image it sees."""
        return ()

    def objective(self, train: TrainingSet, batch: int) -> Objective:
        """What it is trained on: here the pairs."""
        from relattr.training.objectives import PairwiseObjective

        return PairwiseObjective(train.pairs, batch)

    def second(self, train: TrainingSet, run: Run) -> tuple[Any, str]:
        """The second network or what it is to be trained on, and the name of its backbone; see `fitting.fit`."""
        return None, ""

    # ------------------------------------------------------------------ the contract

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.training import fitting

        schedule = self.schedule()
        part, held_out = self._parted(train, run)
        self._run, self._trained_on = run, part.images
        second, backbone = self.second(part, run)
        self.fitted, self.curves = fitting.fit(
            self.architecture(),
            schedule,
            self.objective(part, schedule.batch),
            part.images,
            run,
            supplement=second,
            supplement_backbone=backbone,
            held_out=held_out,
        )

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.fitted.strengths(images)

    def state(self) -> dict[str, Any]:
        return self.fitted.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        from relattr import Run
        from relattr.training.fitting import FittedRanker

        self._run = getattr(self, "_run", Run())
        device = self._run.device
        self.fitted = FittedRanker.restored(self.architecture(), self.schedule(), self.second_backbone, state, device)

    def boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        return self.fitted.boxes(images) if self.scales() else None

    def first_boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        from relattr.training.fitting import first_boxes

        if not self.scales() or not hasattr(self, "_trained_on"):  # not kept with what was learnt
            return None
        return first_boxes(self.architecture(), self.schedule(), images, self._trained_on, self._run)

    def exhibits(self, train: TrainingSet, run: Run) -> Mapping[str, NDArray[Any]]:
        """Learning curves, and for each training image its nearest ones in the penultimate layer (Figure 5), of this
        network and of its backbone before it was trained.
        """
        import numpy as np

        from relattr.backbones.extraction import cached_deep_features

        joined, done = [], np.zeros(2)
        for curve in self.curves.values():  # one stage after the other, in steps and in seconds
            joined.append(curve.copy())
            joined[-1][:, [0, 3]] += done
            done = joined[-1][-1, [0, 3]] if len(curve) else done
        features = self.fitted.features(train.images)
        before = cached_deep_features(train.images, self.backbone, device=run.device)
        return {
            "curve": np.concatenate(joined).astype(np.float32),
            "curve stages": np.array([f"{name}:{len(curve)}" for name, curve in self.curves.items()]),
            "neighbours": nearest(features, NEIGHBOURS),
            "neighbours before": nearest(before, NEIGHBOURS),
            "strengths": self.fitted.strengths(train.images).astype(np.float32),
        }

    # ------------------------------------------------------------------ inside

    @property
    def second_backbone(self) -> str:
        """The name of the second network's backbone."""
        return self.backbone

    def schedule(self) -> Schedule:
        """The preset, with the parameters that were given in place of its own."""
        import dataclasses

        from relattr.training.schedule import PRESETS

        given = {name: getattr(self, name) for name in SCHEDULED if getattr(self, name) is not None}
        return dataclasses.replace(PRESETS[self.preset], **given)

    def architecture(self) -> Architecture:
        """What the network is made of."""
        from relattr.networks.build import Architecture

        schedule = self.schedule()
        standardise = schedule.standardise
        return Architecture(
            backbone=self.backbone,
            scales=self.scales(),
            # Singh & Lee's start was made for the features of networks of this family
            standardise=self.backbone not in ("alexnet", "caffenet", "vgg16") if standardise is None else standardise,
            frozen=schedule.frozen,
            frozen_localiser=schedule.frozen_localiser,
            crop=schedule.crop,
            view=schedule.view,
        )

    def _parted(self, train: TrainingSet, run: Run) -> tuple[TrainingSet, Any]:
        """The part of the training set that is trained on, and what judges a network by the rest."""
        if not self.held_out:
            return train, None
        import numpy as np

        from relattr.statistics import count_strengths

        n = len(train.images)
        shuffled = run.rng("held out").permutation(n)
        away = np.sort(shuffled[: max(2, round(self.held_out * n))])
        rest, judged = subset(train, np.setdiff1d(np.arange(n), away)), subset(train, away)
        if not judged.pairs.n_ordered or not rest.pairs.n_ordered:
            raise BadInput(f"held_out={self.held_out} leaves no ordered pair on one side; hold out more or nothing")

        def judge(fitted: FittedRanker) -> float:
            return count_strengths(fitted.strengths(judged.images), judged.pairs).accuracy

        return rest, judge


def subset(train: TrainingSet, kept: NDArray[np.integer[Any]]) -> TrainingSet:
    """The training set of some of the images, and the pairs among them."""
    import numpy as np

    from relattr import Pairs, TrainingSet

    inside = np.zeros(len(train.images), bool)
    inside[kept] = True
    order = train.pairs.order
    if order is not None:
        own = inside[order.items]
        pairs = Pairs.all_of(order.strengths[own], items=order.items[own], seed=order.seed)
    else:
        pairs = train.pairs.take(inside[train.pairs.left] & inside[train.pairs.right])
    return TrainingSet(
        images=train.images.subset(kept),
        pairs=pairs.renumbered(kept),
        scores=None if train.scores is None else train.scores[kept],
        categories=None if train.categories is None else train.categories[kept],
        category_names=train.category_names,
    )


def nearest(features: NDArray[np.floating[Any]], k: int) -> NDArray[np.int32]:
    """The ``k`` nearest other rows of each row, ``(n, k)``, by Euclidean distance, nearest first."""
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(features) - 1)
    if k < 1:
        return np.zeros((len(features), 0), np.int32)
    return NearestNeighbors(n_neighbors=k).fit(features).kneighbors(return_distance=False).astype(np.int32)
