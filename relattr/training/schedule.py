"""Hyperparameters of training, and three presets of them.

``paper`` is the schedule of Singh & Lee (ECCV 2016, and their code), which Dubey & Agarwal (MM 2017) adopt: batches of
25 pairs, for a number of epochs that they state for three datasets (`relattr.task.PublishedTraining`), or for the 8,000
steps that this is on LFW-10. ``all-pairs`` has the same hyperparameters, but a batch is 50 images and all labelled
pairs among them.

``fast`` is relattr's own, for two processor cores. Images have 5/7 of the side of the backbone's input, 160 of 224
pixels, which is half the area and so about half the time; crops and localisers' views have half the side. AdamW adapts
its steps to the backbone; the learning rate rises to 3e-4 and decays again within 200 steps (one cycle). The score
layer starts from zero, so that random weights do not first distort the pretrained features (Kumar et al., ICLR 2022),
and learns at ten times the rate, as it is not pretrained. Batch normalisation keeps the statistics of the pretrained
network, since those of a small batch are noisy. There is one stage: localisers and ranker are trained together. Half of
the steps do not see the whole image, so that the crops are learned from (`relattr.networks.ranker`). Of the localisers,
only the layers after the backbone are trained, at the rate of the ranker's backbone. The steps of AdamW are as long as
the rate, however small the gradient: at a tenth of the rate, 200 steps move no box; at three times the rate, boxes can
leave the cue for good.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from relattr.errors import BadInput
from relattr.training.batch_sampler import Batching

Preset = Literal["paper", "all-pairs", "fast"]
Optimiser = Literal["sgd", "adamw"]
Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Schedule:
    """All hyperparameters of training, apart from the network's architecture.

    Parameters
    ----------
    updates : optimisation steps of each stage.
    batch : images per step.
    batching : ``pairs``: a step has ``batch / 2`` pairs, drawn without replacement in each epoch, and both images of
        each; ``images``: a step has ``batch`` different images and all labelled pairs among them.
    optimiser : ``sgd``, with momentum, or ``adamw``.
    rate : the highest learning rate.
    cycle : whether the learning rate follows one cycle (a rise to ``rate``, then a cosine decay); else it is constant.
    head_batches : batches to which the score layer alone is first fitted (`relattr.training.score_layer`); 0: none.
    zero_score : whether the score layer starts from zero; else its weights are random.
    score_rate : multiplier of the learning rate of the score layer.
    localiser_rate : multiplier of the learning rate of the localisers.
    momentum, dampening : of SGD. Torch7 damps by default, so ``rate`` is the step size for a constant gradient.
    weight_decay : L2 penalty, of biases too; with AdamW it is decoupled from the gradient.
    hold_statistics : whether batch normalisation keeps the mean and variance of the pretrained network in training.
    stages : 2: a network of crops alone is trained first, and the full network starts from its localisers; 1: only
        the full network.
    frozen : share of the ranker's layers, counted from the input, that is not trained.
    frozen_localiser : whether the localisers' backbones are not trained.
    whole_dropout : probability that a step of the full network does not see the whole image, but only the crops
        (see `relattr.networks.ranker`).
    dropout : probability of dropout after the ranker's fully connected layers, or after its features (see
        `relattr.networks.scoring.Extractor`); None: only what the pretrained network has.
    initial_scale : side of the initial crop of the first transformer relative to the image.
    standardise : whether features are standardised to AlexNet's magnitude before the heads; None: for all backbones
        except AlexNet and VGG.
    image, crop, view : side length of the whole image, of the crops and of the localisers' views, relative to the
        backbone's input size.
    test_views : crops per test image, whose strengths are summed: 1, 2 or 10.
    precision : of the forward pass in training: ``fp32``, or ``bf16`` for autocasting to bfloat16.

    Raises `BadInput` for a value out of range.
    """

    updates: int
    batch: int
    batching: Batching
    rate: float
    cycle: bool
    head_batches: int
    localiser_rate: float
    momentum: float
    dampening: float
    weight_decay: float
    stages: int
    dropout: float | None
    initial_scale: float
    frozen: float
    frozen_localiser: bool
    standardise: bool | None
    crop: float
    view: float
    test_views: int
    precision: Precision = "fp32"
    optimiser: Optimiser = "sgd"
    zero_score: bool = False
    score_rate: float = 1.0
    hold_statistics: bool = False
    image: float = 1.0
    whole_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, valid, expected in (
            ("updates", self.updates >= 1, "at least 1"),
            ("batch", self.batch >= 2, "at least 2"),
            ("batching", self.batching in ("pairs", "images"), "pairs or images"),
            ("batch", self.batching == "images" or self.batch % 2 == 0, "even with batching=pairs: two images a pair"),
            ("rate", 0 < self.rate < math.inf, "a positive number"),
            ("optimiser", self.optimiser in ("sgd", "adamw"), "sgd or adamw"),
            ("score_rate", 0 < self.score_rate < math.inf, "a positive number"),
            ("head_batches", self.head_batches >= 0, "0 or more"),
            ("localiser_rate", 0 <= self.localiser_rate < math.inf, "0 or a positive number"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("dampening", 0 <= self.dampening < 1, "in [0, 1)"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "0 or a positive number"),
            ("stages", self.stages in (1, 2), "1 or 2"),
            ("whole_dropout", 0 <= self.whole_dropout < 1, "in [0, 1)"),
            ("dropout", self.dropout is None or 0 <= self.dropout < 1, "in [0, 1)"),
            ("initial_scale", 0 < self.initial_scale <= 1, "in (0, 1]"),
            ("frozen", 0 <= self.frozen < 1, "in [0, 1)"),
            ("image", 0 < self.image <= 4, "in (0, 4]"),
            ("crop", 0 < self.crop <= 4, "in (0, 4]"),
            ("view", 0 < self.view <= 4, "in (0, 4]"),
            ("test_views", self.test_views in (1, 2, 10), "1, 2 or 10"),
            ("precision", self.precision in ("fp32", "bf16"), "fp32 or bf16"),
        ):
            if not valid:
                raise BadInput(f"training: {name} must be {expected}; got {getattr(self, name)}")

    def rate_at(self, step: int, total: int) -> float:
        """The learning rate at step ``step`` (from 0) of ``total``."""
        if not self.cycle:
            return self.rate
        warm_up = max(1, round(0.2 * total))
        if step < warm_up:
            return self.rate * (step + 1) / warm_up
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up + 1) / max(1, total - warm_up + 1)))


def standardises(schedule: Schedule, backbone: str) -> bool:
    """Whether the features of this backbone are standardised before the heads.

    Singh & Lee's initialisation suits the features of AlexNet and networks like it.
    """
    if schedule.standardise is not None:
        return schedule.standardise
    return backbone not in ("alexnet", "caffenet", "vgg16")


_PAPER = Schedule(
    updates=8000,  # 400 epochs of LFW-10's 20 batches
    batch=50,  # 25 pairs
    batching="pairs",
    rate=1e-3,
    cycle=False,
    head_batches=0,
    localiser_rate=0.1,
    momentum=0.9,
    dampening=0.9,
    weight_decay=5e-4,
    stages=2,
    dropout=0.5,
    initial_scale=1 / 3,
    frozen=0.0,
    frozen_localiser=False,
    standardise=None,
    crop=1.0,
    view=1.0,
    test_views=10,
)

PRESETS: dict[Preset, Schedule] = {
    "paper": _PAPER,
    "all-pairs": dataclasses.replace(_PAPER, batching="images"),
    "fast": Schedule(
        updates=200,
        batch=48,
        batching="images",
        optimiser="adamw",
        rate=3e-4,
        cycle=True,
        head_batches=0,
        zero_score=True,
        score_rate=10.0,
        localiser_rate=1.0,
        momentum=0.9,
        dampening=0.0,
        weight_decay=1e-2,
        hold_statistics=True,
        stages=1,
        dropout=None,
        initial_scale=0.33,
        frozen=0.0,
        frozen_localiser=True,
        standardise=False,
        image=5 / 7,  # 160 of 224 pixels
        whole_dropout=0.5,
        crop=0.5,
        view=0.5,
        test_views=2,
    ),
}
