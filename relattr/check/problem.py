"""A small noise-free problem that any method of this field can learn, for checking methods.

Each image shows a striped red square in its centre, on a noisy background; the stronger the attribute, the larger the
square. Mean colour, edges and shapes are all informative. The mean and standard deviation of the colours come with
the images as shipped features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.images import Images, PairAnswers
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.task import TrainingSet

SIDE = 96
N_TRAIN, N_TEST = 80, 40
N_PAIRS = 400


def draw_image(strength: float, category: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One image, ``(SIDE, SIDE, 3)`` uint8; ``strength`` in [0, 1], ``category`` 0 or 1."""
    background = np.array([(70, 90, 70), (70, 70, 95)][category])
    image = background + rng.normal(0, 8, (SIDE, SIDE, 3))
    side = 8 + int(strength * (SIDE - 16))
    start = (SIDE - side) // 2
    stripes = np.where(np.arange(side) // 4 % 2 == 0, 1.0, 0.45)
    image[start : start + side, start : start + side] = stripes[:, None, None] * np.array([235.0, 80.0, 60.0])
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Problem:
    """A training set, test images with all their pairs, and other images that are compared in between."""

    train: TrainingSet
    test: Images
    pairs: Pairs
    others: Images
    other_pairs: Pairs

    def relabelled(self, strengths: NDArray[np.float64]) -> TrainingSet:
        """The training images with pairs and scores computed from other strengths ``(N_TRAIN,)``."""
        return dataclasses.replace(self.train, pairs=_pairs(strengths), scores=np.exp(2.0 * strengths))


def make_problem(answers: Mapping[str, Sequence[str]] | None = None, seed: int = 0) -> Problem:
    """A new instance of the problem of this seed.

    ``answers`` (name -> questions) are added to the images; the answer to every question about every pair is the true
    order.
    """
    train, strengths = _images(seed, "train", N_TRAIN, answers)
    test, test_strengths = _images(seed, "test", N_TEST, answers)
    others, other_strengths = _images(seed, "others", N_TEST, answers)
    return Problem(
        train=TrainingSet(
            images=train,
            pairs=_pairs(strengths),
            scores=np.exp(2.0 * strengths),
            categories=np.arange(N_TRAIN) % 2,
            category_names=("green background", "blue background"),
        ),
        test=test,
        pairs=Pairs(*Pairs.from_scores(test_strengths, seed=1).arrays),
        others=others,
        other_pairs=Pairs(*Pairs.from_scores(other_strengths, seed=2).arrays),
    )


def _images(
    seed: int, part: str, n: int, answers: Mapping[str, Sequence[str]] | None
) -> tuple[Images, NDArray[np.float64]]:
    rng = generator(seed, "check", part)
    strengths = rng.permutation((np.arange(n) + rng.random(n)) / n)
    arrays = [draw_image(s, k % 2, rng) for k, s in enumerate(strengths)]
    colours = np.array([np.concatenate([image.mean((0, 1)), image.std((0, 1))]) / 255 for image in arrays])
    images = Images.from_arrays(arrays, features=colours)
    first, second = np.triu_indices(n, 1)
    for name, questions in (answers or {}).items():
        order = np.sign(strengths[first] - strengths[second]).astype(np.int8)
        known = np.repeat(order[:, None], len(questions), axis=1)
        images = images.with_answers(name, PairAnswers(np.stack([first, second], axis=1), known, questions))
    return images, strengths


def _pairs(strengths: NDArray[np.float64]) -> Pairs:
    """`N_PAIRS` ordered pairs of the images, less those that are similar, and some similar pairs."""
    ordered = Pairs.from_scores(strengths, count=N_PAIRS, seed=3)
    rank = np.argsort(strengths)
    similar = Pairs(rank[:-1:4], rank[1::4], np.zeros(rank[1::4].size, np.int8))
    near = {frozenset(pair) for pair in zip(similar.left.tolist(), similar.right.tolist(), strict=True)}
    keep = [frozenset(pair) not in near for pair in zip(ordered.left.tolist(), ordered.right.tolist(), strict=True)]
    return Pairs.concatenate([ordered.take(np.array(keep)), similar])
