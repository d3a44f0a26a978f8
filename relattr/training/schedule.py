"""How a network is trained: the two presets, and what they are made of.

``paper`` is Singh & Lee's schedule (ECCV 2016, and their code), which Dubey & Agarwal (MM 2017) take over. ``fast`` is
ours, for two processor cores: the score layer fitted first, fewer and larger steps, a cycle of the learning rate, crops
shown smaller, and the first layers of the backbone left as they were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from relattr.errors import BadInput

Preset = Literal["paper", "fast"]


@dataclass(frozen=True)
class Schedule:
    """Everything about training that is not the network's architecture.

    Parameters
    ----------
    updates : optimisation steps of each stage.
    batch : images a step; all labelled pairs among them count.
    rate : learning rate at its highest.
    cycle : whether the rate rises to that and falls again (one cycle) instead of staying.
    head_batches : batches that the score layer alone is first fitted to (`relattr.training.head`); 0 for none.
    localiser_rate : what the rate of the localisers is multiplied by; of their head, in ``fast``.
    momentum, dampening : of SGD. Torch7 damps by default, so ``rate`` is what a steady gradient moves by.
    weight_decay : added to the gradient, of biases too.
    stages : 2: a network of crops alone first, whose localisers the whole network starts from; 1: all at once.
    frozen : the share of the ranker's layers, from the input on, that stay as they were.
    frozen_localiser : whether the localisers' backbones stay as they were.
    standardise : whether features are brought to AlexNet's size before the heads; None: unless it is an AlexNet or VGG.
    crop, view : pixels a side at which crops, and what localisers see, are shown, against the backbone's input size.
    test_views : crops of an image in a test, whose strengths are added up: 1, 2 or 10.
    """

    updates: int
    batch: int
    rate: float
    cycle: bool
    head_batches: int
    localiser_rate: float
    momentum: float
    dampening: float
    weight_decay: float
    stages: int
    frozen: float
    frozen_localiser: bool
    standardise: bool | None
    crop: float
    view: float
    test_views: int

    def __post_init__(self) -> None:
        for name, ok, expected in (
            ("updates", self.updates >= 1, "at least 1"),
            ("batch", self.batch >= 2, "at least 2"),
            ("rate", 0 < self.rate < math.inf, "a positive number"),
            ("head_batches", self.head_batches >= 0, "0 or more"),
            ("localiser_rate", 0 <= self.localiser_rate < math.inf, "0 or a positive number"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("dampening", 0 <= self.dampening < 1, "in [0, 1)"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "0 or a positive number"),
            ("stages", self.stages in (1, 2), "1 or 2"),
            ("frozen", 0 <= self.frozen < 1, "a share in [0, 1)"),
            ("crop", 0 < self.crop <= 4, "in (0, 4]"),
            ("view", 0 < self.view <= 4, "in (0, 4]"),
            ("test_views", self.test_views in (1, 2, 10), "1, 2 or 10"),
        ):
            if not ok:
                raise BadInput(f"training: {name} must be {expected}; got {getattr(self, name)}")

    def rate_at(self, step: int, total: int) -> float:
        """The learning rate at a step of ``total``."""
        if not self.cycle:
            return self.rate
        warm = max(1, round(0.2 * total))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm + 1) / max(1, total - warm + 1)))


PRESETS: dict[Preset, Schedule] = {
    "paper": Schedule(
        updates=8000,  # 400 epochs of LFW-10's 20 batches
        batch=50,  # 25 pairs
        rate=1e-3,
        cycle=False,
        head_batches=0,
        localiser_rate=0.1,
        momentum=0.9,
        dampening=0.9,
        weight_decay=5e-4,
        stages=2,
        frozen=0.0,
        frozen_localiser=False,
        standardise=None,
        crop=1.0,
        view=1.0,
        test_views=10,
    ),
    "fast": Schedule(
        updates=100,
        batch=48,
        rate=1e-2,
        cycle=True,
        head_batches=10,
        localiser_rate=0.3,
        momentum=0.9,
        dampening=0.0,
        weight_decay=5e-4,
        stages=2,
        frozen=0.4,
        frozen_localiser=True,
        standardise=True,
        crop=0.5,
        view=0.5,
        test_views=2,
    ),
}
