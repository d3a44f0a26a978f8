"""What a network is trained on: labelled pairs, or a number for each image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.errors import BadInput
from relattr.networks.ranker import RankerOutput
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.training.batches import PairBatches
from relattr.training.losses import Gate, PairBatch, pairwise


class BatchResult(NamedTuple):
    """A batch's loss; how many things it was over, and how many of them the network had right (of how many)."""

    loss: torch.Tensor
    n: int
    right: int
    of: int


class Step(Protocol):
    """One batch: the images it is of, and what to make of the network's answer."""

    images: NDArray[np.int64]

    def judge(self, scored: RankerOutput) -> BatchResult: ...


class Objective(Protocol):
    """An endless sequence of batches, the same for the same seed."""

    def steps(self, seed: int) -> Iterator[Step]: ...


class _PairStep:
    def __init__(self, images: NDArray[np.int64], pairs: PairBatch, gate: Gate) -> None:
        self.images, self.pairs, self.gate = images, pairs, gate

    def judge(self, scored: RankerOutput) -> BatchResult:
        strength = scored.strength
        left, right, target = (part.to(strength.device) for part in self.pairs[:3])
        pairs = PairBatch(left, right, target, self.pairs.weight)
        loss = pairwise(strength, scored.theta, pairs, self.gate)
        with torch.no_grad():
            ordered = pairs.target != 0.5
            ahead = (strength[pairs.left] - strength[pairs.right]) * (pairs.target - 0.5)
        return BatchResult(loss, len(ordered), int((ahead[ordered] > 0).sum()), int(ordered.sum()))


class PairwiseObjective:
    """RankNet's loss over labelled pairs, and the spatial loss of the transformers."""

    def __init__(self, pairs: Pairs, batch: int, gate: Gate = "crop") -> None:
        self.batches = PairBatches(pairs, batch)
        self.gate = gate

    def steps(self, seed: int) -> Iterator[Step]:
        epoch = 0
        while True:
            for made, weight in self.batches.epoch(generator(seed, "batches", epoch)):
                pairs = PairBatch(
                    torch.from_numpy(made.left),
                    torch.from_numpy(made.right),
                    torch.from_numpy(made.label).float().add_(1).div_(2),
                    weight,
                )
                yield _PairStep(made.images, pairs, self.gate)
            epoch += 1


class _ScoreStep:
    def __init__(self, images: NDArray[np.int64], target: torch.Tensor, loss: str) -> None:
        self.images, self.target, self.loss = images, target, loss

    def judge(self, scored: RankerOutput) -> BatchResult:
        target = self.target.to(scored.strength.device)
        measure = functional.smooth_l1_loss if self.loss == "smooth_l1" else functional.mse_loss
        with torch.no_grad():
            ahead = (scored.strength[:, None] - scored.strength) * (target[:, None] - target)
            right, of = int((ahead > 0).sum()) // 2, int((target[:, None] != target).sum()) // 2
        return BatchResult(measure(scored.strength, target), len(target), right, of)


class RegressionObjective:
    """The distance of an image's strength from its own number, already brought to a usual size."""

    def __init__(self, target: NDArray[np.floating], batch: int, loss: str = "smooth_l1") -> None:
        if loss not in ("smooth_l1", "mse"):
            raise BadInput(f"the loss of a regression must be smooth_l1 or mse; got {loss!r}")
        self.target, self.batch, self.loss = target.astype(np.float32), min(batch, len(target)), loss

    def steps(self, seed: int) -> Iterator[Step]:
        epoch = 0
        while True:
            shuffled = generator(seed, "batches", epoch).permutation(len(self.target))
            for k in range(len(shuffled) // self.batch):
                images = shuffled[k * self.batch : (k + 1) * self.batch]
                yield _ScoreStep(images, torch.from_numpy(self.target[images]), self.loss)
            epoch += 1


class _ClassStep:
    def __init__(self, images: NDArray[np.int64], target: torch.Tensor) -> None:
        self.images, self.target = images, target

    def judge(self, scored: RankerOutput) -> BatchResult:
        target = self.target.to(scored.strength.device)
        right = int((scored.strength.argmax(1) == target).sum())
        return BatchResult(functional.cross_entropy(scored.strength, target), len(target), right, len(target))


class ClassificationObjective:
    """Cross entropy of each image's class; every class is drawn as often as every other."""

    def __init__(self, classes: NDArray[np.integer], batch: int) -> None:
        self.classes, self.batch = classes.astype(np.int64), batch

    def steps(self, seed: int) -> Iterator[Step]:
        members = [np.flatnonzero(self.classes == c) for c in np.unique(self.classes)]
        number = 0
        while True:
            rng = generator(seed, "batches", number)
            kinds = rng.integers(0, len(members), self.batch)
            images = np.array([rng.choice(members[k]) for k in kinds])
            yield _ClassStep(images, torch.from_numpy(self.classes[images]))
            number += 1
