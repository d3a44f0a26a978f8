"""Training objectives: a stream of batches, and the loss of the network's output for each.

Labelled pairs (ranking), scores (regression) or categories (classification).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.errors import BadInput
from relattr.networks.scoring import NetworkOutput
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.system.digests import digest_array, digest_text
from relattr.training.batch_sampler import Batching, PairBatchSampler
from relattr.training.ranking_loss import Gate, PairTargets, pairwise_loss
from relattr.training.shuffled_pairs import ShuffledPairs


class BatchResult(NamedTuple):
    """The result of a batch.

    ``loss``, the number of terms it sums over (``n_terms``: pairs or images), and how many predictions are correct
    (``n_correct`` of ``n_predictions``; similar pairs have none).
    """

    loss: torch.Tensor
    n_terms: int
    n_correct: int
    n_predictions: int


class TrainingBatch(Protocol):
    """One batch: the indices of its images, and the evaluation of the network's output for them."""

    images: NDArray[np.int64]

    def evaluate(self, output: NetworkOutput) -> BatchResult: ...


class Objective(Protocol):
    """An infinite stream of batches, determined by the seed, in epochs of ``batches_per_epoch``.

    ``fingerprint`` is a digest of all that the batches and their loss depend on, except the seed.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in which all training data is seen once; approximate for batches of images."""

    def batches(self, seed: int) -> Iterator[TrainingBatch]: ...


class _PairTrainingBatch:
    def __init__(self, images: NDArray[np.int64], pairs: PairTargets, gate: Gate) -> None:
        self.images, self.pairs, self.gate = images, pairs, gate

    def evaluate(self, output: NetworkOutput) -> BatchResult:
        strength = output.score
        left, right, target = (part.to(strength.device) for part in self.pairs[:3])
        pairs = PairTargets(left, right, target, self.pairs.normaliser)
        loss = pairwise_loss(strength, output.theta, pairs, self.gate)
        with torch.no_grad():
            ordered = pairs.target != 0.5
            agreement = (strength[pairs.left] - strength[pairs.right]) * (pairs.target - 0.5)
        return BatchResult(loss, len(ordered), int((agreement[ordered] > 0).sum()), int(ordered.sum()))


class PairwiseObjective:
    """RankNet's loss over labelled pairs, and the spatial loss of the transformers.

    A batch has ``batch`` images: ``batch / 2`` pairs (``batching="pairs"``), or different images and all labelled pairs
    among them (``"images"``).
    """

    def __init__(self, pairs: Pairs, batch: int, gate: Gate = "crop", batching: Batching = "images") -> None:
        self.sampler = PairBatchSampler(pairs, batch) if batching == "images" else ShuffledPairs(pairs, batch // 2)
        self.gate = gate
        self._settings = repr((batch, gate, batching))
        self._pairs = pairs

    @property
    def fingerprint(self) -> str:
        return digest_text("pairs", self._pairs.fingerprint(), self._settings)

    @property
    def batches_per_epoch(self) -> int:
        return self.sampler.batches_per_epoch

    def batches(self, seed: int) -> Iterator[TrainingBatch]:
        epoch = 0
        while True:
            for batch, weight in self.sampler.epoch(generator(seed, "batches", epoch)):
                pairs = PairTargets(
                    torch.from_numpy(batch.left),
                    torch.from_numpy(batch.right),
                    torch.from_numpy(batch.label).float().add_(1).div_(2),
                    weight,
                )
                yield _PairTrainingBatch(batch.images, pairs, self.gate)
            epoch += 1


class _ScoreTrainingBatch:
    def __init__(self, images: NDArray[np.int64], target: torch.Tensor, loss: str) -> None:
        self.images, self.target, self.loss = images, target, loss

    def evaluate(self, output: NetworkOutput) -> BatchResult:
        strength, target = output.score, self.target.to(output.score.device)
        loss_function = functional.smooth_l1_loss if self.loss == "smooth_l1" else functional.mse_loss
        with torch.no_grad():  # the implied pairs, each of which the full matrices contain twice
            agreement = (strength[:, None] - strength) * (target[:, None] - target)
            n_correct, n_ordered = int((agreement > 0).sum()) // 2, int((target[:, None] != target).sum()) // 2
        return BatchResult(loss_function(strength, target), len(target), n_correct, n_ordered)


class RegressionObjective:
    """Regression of the strength on one target per image, ``(n,)``, standardised beforehand.

    ``loss`` is ``smooth_l1`` or ``mse``; raises `BadInput` for another.
    """

    def __init__(self, target: NDArray[np.floating], batch: int, loss: str = "smooth_l1") -> None:
        if loss not in ("smooth_l1", "mse"):
            raise BadInput(f"the loss of a regression must be smooth_l1 or mse; got {loss!r}")
        self.target, self.batch, self.loss = target.astype(np.float32), min(batch, len(target)), loss

    @property
    def fingerprint(self) -> str:
        return digest_text("scores", digest_array(self.target), repr((self.batch, self.loss)))

    @property
    def batches_per_epoch(self) -> int:
        return len(self.target) // self.batch

    def batches(self, seed: int) -> Iterator[TrainingBatch]:
        epoch = 0
        while True:
            shuffled = generator(seed, "batches", epoch).permutation(len(self.target))
            for k in range(self.batches_per_epoch):
                images = shuffled[k * self.batch : (k + 1) * self.batch]
                yield _ScoreTrainingBatch(images, torch.from_numpy(self.target[images]), self.loss)
            epoch += 1


class _ClassTrainingBatch:
    def __init__(self, images: NDArray[np.int64], target: torch.Tensor) -> None:
        self.images, self.target = images, target

    def evaluate(self, output: NetworkOutput) -> BatchResult:
        target = self.target.to(output.score.device)
        n_correct = int((output.score.argmax(1) == target).sum())
        return BatchResult(functional.cross_entropy(output.score, target), len(target), n_correct, len(target))


class ClassificationObjective:
    """Cross entropy of the class of each image; all classes are sampled equally often.

    Images of class -1 are never sampled. Raises `BadInput` if all are.
    """

    def __init__(self, classes: NDArray[np.integer], batch: int) -> None:
        self.classes, self.batch = classes.astype(np.int64), batch
        self._labelled = int((self.classes >= 0).sum())
        if not self._labelled:
            raise BadInput(f"none of the {len(self.classes)} training images has a category")

    @property
    def fingerprint(self) -> str:
        return digest_text("classes", digest_array(self.classes), str(self.batch))

    @property
    def batches_per_epoch(self) -> int:
        return max(1, self._labelled // self.batch)

    def batches(self, seed: int) -> Iterator[TrainingBatch]:
        members = [np.flatnonzero(self.classes == c) for c in np.unique(self.classes[self.classes >= 0])]
        number = 0
        while True:
            rng = generator(seed, "batches", number)
            sampled_classes = rng.integers(0, len(members), self.batch)
            images = np.array([rng.choice(members[k]) for k in sampled_classes])
            yield _ClassTrainingBatch(images, torch.from_numpy(self.classes[images]))
            number += 1
