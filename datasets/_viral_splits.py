"""Draw the training and test images and pairs of the virality data from the scores; no image is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput, UnknownName
from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.sampling import permuted

from ._viral_files import ViralScores

SPLITS = ("published", "held-out")


@dataclass(frozen=True, eq=False)
class ViralSplit:
    """Training and test pairs, as positions among all images; the same seed draws the same pairs.

    ``random_pairs`` ``(n, 2)``: positions of the images of Viral-RandomPairs, the more viral one first.
    ``n_extremes``: the number of most viral images, and of least viral images. ``n_train_pairs``, ``n_test_pairs``:
    the number of pairs to draw, None for all.
    """

    scores: ViralScores
    random_pairs: NDArray[np.int64]
    n_extremes: int
    n_train_pairs: int | None
    n_test_pairs: int | None
    seed: int

    @cached_property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A random 80 % of the images, and the other 20 %: positions, ascending."""
        n = self.scores.ids.size
        order = permuted(0, n, n, derive_seed(self.seed, "viral", "split"))
        return np.sort(order[: n * 8 // 10]), np.sort(order[n * 8 // 10 :])

    @cached_property
    def extremes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The images with the lowest scores and those with the highest, each in ascending order of score.

        Raises `BadInput` if equal scores make them ambiguous.
        """
        score, k = self.scores.score, self.n_extremes
        order = np.argsort(score, kind="stable")
        for end, inside, outside in (("least", k - 1, k), ("most", -k, -k - 1)):
            if score[order[inside]] == score[order[outside]]:
                raise BadInput(
                    f"{self.scores.path}: of the images with score {score[order[inside]]} only some can be among the "
                    f"{k} {end} viral ones; expected no tie between the last one inside and the first one outside"
                )
        return order[:k], order[-k:]

    @cached_property
    def test_pairs(self) -> dict[str, Pairs]:
        """The test sets, the same for every split; the sides of each pair are random.

        ``complete``: pairs of the 20 % of images; ``pairs``: each of the most viral images with each of the least
        viral; ``pairs-matching``: each of them in exactly one pair; ``random-pairs``: the released pairs.
        """
        least, most = self.extremes
        k, first, second = self.n_extremes, self.random_pairs[:, 0], self.random_pairs[:, 1]
        matched = permuted(0, k, k, derive_seed(self.seed, "viral", "matching"))
        sets = {
            "pairs": (np.repeat(most, k), np.tile(least, k)),
            "pairs-matching": (most, least[matched]),
            "random-pairs": (first, second),
        }
        test_pairs = {"complete": self._draw(self.parts[1], self.n_test_pairs, "n_test_pairs", "test")}
        for name, (more, less) in sets.items():
            pairs = Pairs(more, less, np.ones(more.size, np.int8))
            test_pairs[name] = pairs.random_sides(derive_seed(self.seed, "viral", name))
        return test_pairs

    def training_images(self, split: str) -> NDArray[np.int64]:
        """The positions of the training images, ascending; ``held-out`` excludes the images of the fixed test sets."""
        if split not in SPLITS:
            raise UnknownName("split of viral", split, SPLITS)
        if split == "published":
            return self.parts[0]
        return np.setdiff1d(self.parts[0], np.concatenate([*self.extremes, self.random_pairs.ravel()]))

    def training_pairs(self, split: str) -> Pairs:
        """The training pairs. A sample contains no pair of equal scores and no test pair.

        Raises `BadInput` if there are fewer pairs than requested.
        """
        return self._draw(self.training_images(split), self.n_train_pairs, "n_train_pairs", f"train {split}")

    def _draw(self, images: NDArray[np.int64], count: int | None, parameter: str, part: str) -> Pairs:
        """Draw ``count`` ordered pairs of these images; training pairs exclude ``pairs`` and ``random-pairs``."""
        scores, seed = self.scores.score[images], derive_seed(self.seed, "viral", part)
        everything = Pairs.all_of(scores, items=images, seed=seed)
        if count is None:
            return everything
        tested = self._test_pair_table(images) if parameter == "n_train_pairs" else None
        excluded = 0 if tested is None else int(np.count_nonzero(tested.table)) // 2
        available = everything.n_ordered - excluded
        if not 1 <= count <= available:
            raise BadInput(
                f"viral: {parameter}={count:,}, but {images.size:,} images have {available:,} pairs that can be drawn; "
                f"expected 1 to {available:,}, or None for all"
            )
        drawn = Pairs.from_scores(scores, count=count + excluded, seed=seed, ties="skip", items=images)
        if tested is None or not excluded:
            return drawn
        untested = np.flatnonzero(~tested.table[tested.row[drawn.left], tested.row[drawn.right]])
        return drawn.take(untested[:count])

    def _test_pair_table(self, images: NDArray[np.int64]) -> _TestPairTable:
        """Which pairs of these images are in ``pairs`` or ``random-pairs``."""
        least, most = self.extremes
        fixed = np.intersect1d(images, np.concatenate([least, most, self.random_pairs.ravel()]))
        row = np.full(
            self.scores.ids.size, fixed.size, np.int16
        )  # all other images share the last row, which has no pair
        row[fixed] = np.arange(fixed.size)
        table = np.zeros((fixed.size + 1, fixed.size + 1), bool)
        table[np.ix_(row[least], row[most])] = True
        table[row[self.random_pairs[:, 0]], row[self.random_pairs[:, 1]]] = True
        table[-1] = table[:, -1] = False
        return _TestPairTable(row, table | table.T)


@dataclass(frozen=True, eq=False)
class _TestPairTable:
    """``table[row[i], row[j]]``: whether images i and j are a test pair. Small, as most images are in no test pair."""

    row: NDArray[np.int16]
    table: NDArray[np.bool_]
