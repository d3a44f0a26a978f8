"""Base class of siamese networks, ViralNets and regressions: parameters, fitting, saving, inspection."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from relattr import BadInput, Method, TrainingSet
from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.mixins import InspectionMixin
from relattr.needs import Need
from relattr.task import PublishedTraining

from ._backbone_deviation import backbone_deviations
from ._fit_run import FitRun

if TYPE_CHECKING:
    from relattr import Images, Run
    from relattr.networks.architecture import Architecture
    from relattr.training.fitting import FittedRanker
    from relattr.training.objectives import Objective
    from relattr.training.schedule import Schedule

N_NEIGHBOURS = 8
"""Nearest neighbours stored for each training image (Figure 5)."""
N_QUERIES = 64
"""Test images whose nearest training images are stored."""
MAX_NEIGHBOUR_IMAGES = 50_000
"""Training images up to which neighbours are stored: comparing each with each takes hours for more."""
SCHEDULE_OVERRIDES = (
    "updates",
    "batch",
    "batching",
    "optimiser",
    "rate",
    "score_rate",
    "head_batches",
    "localiser_rate",
    "stages",
    "whole_dropout",
    "dropout",
    "initial_scale",
    "frozen",
    "frozen_localiser",
    "standardise",
    "image",
    "crop",
    "view",
    "test_views",
    "precision",
)
"""Parameters that override the preset's where they are given."""


class RankingNetwork(FitRun, InspectionMixin, Method):
    """A network that gives each image a strength; a subclass defines its transformers and its training objective.

    Parameters
    ----------
    backbone : pretrained network that the ranker and its localisers start from.
    preset : training schedule: ``paper``, that of Singh & Lee, with the epochs and the initial scale published for the
        dataset, or 8,000 steps and 1/3 where none are; ``all-pairs``, the same but with all labelled pairs among the 50
        images of a batch, 8,000 steps; ``fast``, relattr's own for two processor cores: 200 steps of AdamW on small
        images. The parameters below override it where they are given.
    updates : optimisation steps per stage.
    epochs : passes over the training pairs per stage, in place of ``updates``.
    batch : images per step; two for each pair with ``batching=pairs``.
    batching : ``pairs``: batches of shuffled pairs; ``images``: batches of images and all labelled pairs among them.
    optimiser : ``sgd`` or ``adamw``.
    rate : learning rate.
    score_rate : multiplier of the learning rate for the score layer.
    head_batches : batches that the score layer alone is first fitted to.
    localiser_rate : multiplier of the learning rate for the localisers.
    stages : 2 to train the crops alone first, 1 to train everything at once.
    whole_dropout : probability that a training step sees only the crops, not the whole image.
    dropout : probability of dropout after fc6 and fc7, or after the last features of another network.
    initial_scale : side of the initial crop of the first transformer relative to the image.
    frozen : share of the backbone's layers that is not trained.
    frozen_localiser : whether the localisers' backbones are not trained.
    standardise : whether features are standardised to AlexNet's magnitude.
    image : side length of the whole image relative to the backbone's input size.
    crop : side length of the crops relative to the backbone's input size.
    view : side length of the localisers' views relative to the backbone's input size.
    test_views : crops per test image: 1, 2 or 10.
    precision : number format of the forward pass in training: ``fp32`` (all presets), or ``bf16`` where it is native.
    held_out : share of the training images, in [0, 0.5), that is not trained on; its accuracy is shown beside the
        loss, and nothing is selected by it.
    """

    backbone: str = DEFAULT_BACKBONE
    preset: Literal["paper", "all-pairs", "fast"] = "paper"
    updates: int | None = None
    epochs: int | None = None
    batch: int | None = None
    batching: Literal["pairs", "images"] | None = None
    optimiser: Literal["sgd", "adamw"] | None = None
    rate: float | None = None
    score_rate: float | None = None
    head_batches: int | None = None
    localiser_rate: float | None = None
    stages: int | None = None
    whole_dropout: float | None = None
    dropout: float | None = None
    initial_scale: float | None = None
    frozen: float | None = None
    frozen_localiser: bool | None = None
    standardise: bool | None = None
    image: float | None = None
    crop: float | None = None
    view: float | None = None
    test_views: int | None = None
    precision: Literal["fp32", "bf16"] | None = None
    held_out: float = 0.0

    published_parameters: ClassVar[Mapping[str, Any]] = {"backbone": "caffenet"}
    check_with: ClassVar[Mapping[str, Any]] = {
        "backbone": "micro",
        "preset": "fast",
        "updates": 15,
        "batch": 24,
        "rate": 0.001,
        "image": 1.0,
        "crop": 1.0,
        "view": 1.0,
        "test_views": 1,
    }

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 0.5:
            raise BadInput(f"held_out must be in [0, 0.5); got {self.held_out}")
        if self.updates is not None and self.epochs is not None:
            raise BadInput(f"updates={self.updates} and epochs={self.epochs} contradict each other; give one of them")
        if self.epochs is not None and self.epochs < 1:
            raise BadInput(f"epochs must be at least 1; got {self.epochs}")

    def needs(self) -> Sequence[Need]:
        from relattr.backbones.native_bf16 import NativeBf16
        from relattr.backbones.weights import backbone_needs

        return [*backbone_needs(self.backbone), *([NativeBf16()] if self.precision == "bf16" else [])]

    def deviations(self) -> Sequence[str]:
        deviations = []
        if self.preset == "fast":
            deviations.append("trained with the preset fast (relattr's own, for two processor cores), not the paper's")
        elif self.preset == "all-pairs":
            deviations.append(
                "trained with the preset all-pairs: 8,000 steps of 50 images and all labelled pairs among them, not of "
                "25 pairs"
            )
        overrides = [f"{name}={value}" for name, value in self._overrides(("epochs", *SCHEDULE_OVERRIDES)).items()]
        if overrides:
            deviations.append(f"trained with {', '.join(overrides)} in place of the preset's")
        if self.held_out:
            deviations.append(f"trained on {1 - self.held_out:.0%} of the training images")
        return [*deviations, *backbone_deviations(self.backbone)]

    def notes(self) -> Sequence[str]:
        """The choices where the paper is silent; after `fit`, also the length of the training."""
        if self.preset == "fast":
            return ()
        notes = [
            "images are resized to squares with a side of at most 256 pixels (the papers state the size, not how it "
            "was reached)"
        ]
        if hasattr(self, "_training"):
            notes.append(self._training)
        if self.scales():
            notes += [
                "the network's output for the scale of a crop is multiplied by 0.05, as in Singh and Lee's code, so "
                "that it learns more slowly than the translation; their paper says a tenth",
            ]
        return notes

    # ------------------------------------------------------------------ defined by subclasses

    def scales(self) -> tuple[float, ...]:
        """One per transformer: the size of the image it sees."""
        return ()

    def objective(self, train: TrainingSet, schedule: Schedule) -> Objective:
        """The training objective; here RankNet's loss over the pairs."""
        from relattr.training.objectives import PairwiseObjective

        return PairwiseObjective(train.pairs, schedule.batch, batching=schedule.batching)

    def supplement_source(self, train: TrainingSet, run: Run) -> tuple[Any, str]:
        """Frozen networks or the categories to train one on, and its backbone's name; see `fitting.fit_ranker`."""
        return None, ""

    def prepare(self, train: TrainingSet, run: Run) -> None:
        """Decide what the architecture depends on, from what is trained on."""

    # ------------------------------------------------------------------ the contract

    def fit(self, train: TrainingSet, run: Run) -> None:
        from relattr.training import fitting

        part, held_out = self._split_held_out(train, run)
        self._run, self._trained_on, self._published = run, part.images, part.published
        self.prepare(part, run)
        objective = self.objective(part, self.schedule())
        self._batches_per_epoch = objective.batches_per_epoch
        schedule = self.schedule()
        self._training = self._describe_training(schedule)
        supplement, supplement_backbone = self.supplement_source(part, run)
        self.fitted, self.curves = fitting.fit_ranker(
            self.architecture(),
            schedule,
            objective,
            part.images,
            run,
            supplement=supplement,
            supplement_backbone=supplement_backbone,
            held_out=held_out,
        )

    def strength(self, images: Images) -> NDArray[np.floating[Any]]:
        return self.fitted.strengths(images)

    def state(self) -> dict[str, Any]:
        return self.fitted.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        from relattr.training.fitting import FittedRanker

        self._run = self.fit_run
        self.fitted = FittedRanker.from_state(
            self.architecture(), self.schedule(), state, self._run.device, self._run.threads
        )

    def boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        return self.fitted.boxes(images) if self.scales() else None

    def initial_boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        from relattr.training.fitting import initial_boxes

        if not self.scales() or not hasattr(self, "_trained_on"):  # the training images are not saved
            return None
        return initial_boxes(self.architecture(), self.schedule(), images, self._trained_on, self._run)

    def artifacts(self, train: TrainingSet, run: Run) -> Mapping[str, NDArray[Any]]:
        """Learning curves, and the nearest neighbours of each training image (Figure 5).

        Neighbours are those in the penultimate layer of the fitted network, and of its backbone before training. There
        are none for more than `MAX_NEIGHBOUR_IMAGES` training images.
        """
        curves, offset = [], np.zeros(2)
        for curve in self.curves.values():  # concatenate the stages: steps and seconds continue
            curves.append(curve.copy())
            curves[-1][:, [0, 3]] += offset
            offset = curves[-1][-1, [0, 3]] if len(curve) else offset
        arrays = {
            "curve": np.concatenate(curves).astype(np.float32),
            "curve stages": np.array([f"{name}:{len(curve)}" for name, curve in self.curves.items()]),
        }
        if len(train.images) > MAX_NEIGHBOUR_IMAGES:
            return arrays
        features, before = self._train_features = self._penultimate(train.images, run)
        return {
            **arrays,
            "neighbours": nearest_neighbours(features, N_NEIGHBOURS),
            "neighbours before": nearest_neighbours(before, N_NEIGHBOURS),
            "strengths": self.fitted.strengths(train.images).astype(np.float32),
        }

    def test_artifacts(self, train: TrainingSet, images: Images, run: Run) -> Mapping[str, NDArray[Any]]:
        """The nearest training images of some test images (Figure 5); see `artifacts`."""
        if len(train.images) > MAX_NEIGHBOUR_IMAGES:
            return {}
        queries = np.sort(run.rng("queries").permutation(len(images))[:N_QUERIES])
        of_queries = self._penultimate(images.subset(queries), run)
        of_train = getattr(self, "_train_features", None) or self._penultimate(train.images, run)
        trained, before = (nearest_rows(q, f, N_NEIGHBOURS) for q, f in zip(of_queries, of_train, strict=True))
        return {"queries": queries, "query neighbours": trained, "query neighbours before": before}

    # ------------------------------------------------------------------ details

    def _penultimate(self, images: Images, run: Run) -> tuple[NDArray[Any], NDArray[Any]]:
        """Features ``(n, d)`` of images in the penultimate layer, and in the backbone before training."""
        from relattr.backbones.extraction import cached_deep_features

        return self.fitted.features(images), cached_deep_features(images, self.backbone, device=run.device)

    def _overrides(self, names: Sequence[str]) -> dict[str, Any]:
        """The parameters among these that are given."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def schedule(self) -> Schedule:
        """The preset with the overriding parameters.

        Epochs are converted to steps, and settings published for the dataset are applied, only when `fit` is called.
        """
        from relattr.training.schedule import PRESETS

        values = self._overrides(SCHEDULE_OVERRIDES)
        published = getattr(self, "_published", PublishedTraining())
        epochs = self.epochs
        if self.preset == "paper":
            epochs = published.epochs if epochs is None else epochs
            if published.initial_scale is not None:
                values.setdefault("initial_scale", published.initial_scale)
        if epochs is not None and hasattr(self, "_batches_per_epoch"):
            values.setdefault("updates", epochs * self._batches_per_epoch)
        return dataclasses.replace(PRESETS[self.preset], **values)

    def _describe_training(self, schedule: Schedule) -> str:
        """How long the network is trained, and where that comes from."""
        per_step = f"{schedule.batch // 2} pairs" if schedule.batching == "pairs" else f"{schedule.batch} images"
        steps = f"{schedule.updates:,} steps of {per_step} in each stage"
        if not self.scales():
            steps = steps.removesuffix(" in each stage")
        scale = f", initial scale {schedule.initial_scale:.3g}" if self.scales() else ""
        if self.preset != "paper" or self.updates is not None or self.epochs is not None:
            return f"trained for {steps}{scale}"
        if self._published.epochs is None:
            return (
                f"trained for {steps}{scale}: no schedule is published for this dataset, so the number of steps "
                f"{'and the scale are those' if scale else 'is that'} of Singh and Lee on LFW-10"
            )
        return f"trained for {self._published.epochs} epochs, {steps}{scale}, as Singh and Lee on this dataset"

    def architecture(self) -> Architecture:
        """The architecture of the network."""
        from relattr.networks.architecture import Architecture
        from relattr.training.schedule import standardises

        schedule = self.schedule()
        standardise = standardises(schedule, self.backbone)
        return Architecture(
            backbone=self.backbone,
            scales=self.scales(),
            initial_scale=schedule.initial_scale,
            # with this network they leave the initial centre of a crop where its random weights put it
            centre=standardise or self.backbone not in ("alexnet", "caffenet"),
            standardise=standardise,
            whole_dropout=schedule.whole_dropout,
            dropout=schedule.dropout,
            frozen=schedule.frozen,
            frozen_localiser=schedule.frozen_localiser,
            zero_score=schedule.zero_score,
            hold_statistics=schedule.hold_statistics,
            image=schedule.image,
            crop=schedule.crop,
            view=schedule.view,
        )

    def _split_held_out(
        self, train: TrainingSet, run: Run
    ) -> tuple[TrainingSet, Callable[[FittedRanker], float] | None]:
        """The part of the training set that is trained on, and the accuracy of a network on the rest."""
        if not self.held_out:
            return train, None
        n = len(train.images)
        shuffled = run.rng("held out").permutation(n)
        held_out_images = np.sort(shuffled[: max(2, round(self.held_out * n))])
        held_out = training_subset(train, held_out_images)
        rest = training_subset(train, np.setdiff1d(np.arange(n), held_out_images))
        if not held_out.pairs.n_ordered or not rest.pairs.n_ordered:
            raise BadInput(f"held_out={self.held_out} leaves no ordered pair on one side; hold out more or nothing")

        from relattr.statistics import count_strengths

        def accuracy(fitted: FittedRanker) -> float:
            return count_strengths(fitted.strengths(held_out.images), held_out.pairs).accuracy

        return rest, accuracy


def training_subset(train: TrainingSet, images: NDArray[np.integer[Any]]) -> TrainingSet:
    """The training set of some of the images ``(k,)``, and the pairs among them."""
    return TrainingSet(
        images=train.images.subset(images),
        pairs=train.pairs.among(images).renumbered(images),
        scores=None if train.scores is None else train.scores[images],
        categories=None if train.categories is None else train.categories[images],
        category_names=train.category_names,
        published=train.published,
    )


def nearest_rows(queries: NDArray[Any], features: NDArray[Any], k: int) -> NDArray[np.int32]:
    """The ``k`` rows of ``features`` ``(n, d)`` nearest to each query ``(m, d)``, ``(m, k)``, nearest first."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=min(k, len(features))).fit(features)
    return nearest.kneighbors(queries, return_distance=False).astype(np.int32)


def nearest_neighbours(features: NDArray[np.floating[Any]], k: int) -> NDArray[np.int32]:
    """The ``k`` nearest other rows of each row, ``(n, k)``, by Euclidean distance, nearest first."""
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(features) - 1)
    if k < 1:
        return np.zeros((len(features), 0), np.int32)
    return NearestNeighbors(n_neighbors=k).fit(features).kneighbors(return_distance=False).astype(np.int32)
