"""Which virality images and pairs are trained on and which are tested, drawn from the scores; no image is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from relattr.errors import BadInput, UnknownName
from relattr.random import derive_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.pairs import Pairs

    from ._viral_files import ViralScores

SPLITS = ("published", "held-out")


@dataclass(frozen=True, eq=False)
class ViralSplit:
    """Training and test pairs over the positions of all images; the same seed draws the same ones.

    ``random_pairs`` ``(n, 2)``: positions of the images of Viral-RandomPairs, the more viral one first.
    ``n_extremes``: how many images are the most viral ones, and the least. ``n_train_pairs``,
    ``n_test_pairs``: how many pairs to draw, None for all.
    """

    scored: ViralScores
    random_pairs: NDArray[np.int64]
    n_extremes: int
    n_train_pairs: int | None
    n_test_pairs: int | None
    seed: int

    @cached_property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """80 % of the images, and the other 20 %: positions, ascending."""
        import numpy as np

        from relattr.sampling import permuted

        n = self.scored.ids.size
        order = permuted(0, n, n, derive_seed(self.seed, "viral", "split"))
        return np.sort(order[: n * 8 // 10]), np.sort(order[n * 8 // 10 :])

    @cached_property
    def extremes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The images with the lowest scores and those with the highest, each in ascending order of score.

        Raises `BadInput` where equal scores leave open which images these are.
        """
        import numpy as np

        score, k = self.scored.score, self.n_extremes
        order = np.argsort(score, kind="stable")
        for end, inside, outside in (("least", k - 1, k), ("most", -k, -k - 1)):
            if score[order[inside]] == score[order[outside]]:
                raise BadInput(
                    f"{self.scored.path}: of the images with score {score[order[inside]]} only some can be among the "
                    f"{k} {end} viral ones; expected different scores there"
                )
        return order[:k], order[-k:]

    @cached_property
    def test_pairs(self) -> dict[str, Pairs]:
        """The test sets, the same for every split; each pair's sides drawn by lot.

        ``complete``: pairs of the 20 % of images; ``pairs``: each of the most viral images with each of the
        least; ``pairs-matching``: each of them in one pair; ``random-pairs``: the released ones.
        """
        import numpy as np

        from relattr.pairs import Pairs
        from relattr.sampling import permuted

        low, high = self.extremes
        k, first, second = self.n_extremes, self.random_pairs[:, 0], self.random_pairs[:, 1]
        matched = permuted(0, k, k, derive_seed(self.seed, "viral", "matching"))
        sets = {
            "pairs": (np.repeat(high, k), np.tile(low, k)),
            "pairs-matching": (high, low[matched]),
            "random-pairs": (first, second),
        }
        made = {"complete": self._draw(self.parts[1], self.n_test_pairs, "n_test_pairs", "test")}
        for name, (more, less) in sets.items():
            pairs = Pairs(more, less, np.ones(more.size, np.int8))
            made[name] = pairs.random_sides(derive_seed(self.seed, "viral", name))
        return made

    def training_images(self, split: str) -> NDArray[np.int64]:
        """The positions of the images to train on, ascending; in ``held-out`` without those of the fixed test sets."""
        import numpy as np

        if split not in SPLITS:
            raise UnknownName("split of viral", split, SPLITS)
        if split == "published":
            return self.parts[0]
        return np.setdiff1d(self.parts[0], np.concatenate([*self.extremes, self.random_pairs.ravel()]))

    def training_pairs(self, split: str) -> Pairs:
        """The pairs to train on. Where pairs are drawn, none is of equal scores and none is tested.

        Raises `BadInput` where there are not as many.
        """
        return self._draw(self.training_images(split), self.n_train_pairs, "n_train_pairs", f"train {split}")

    def _draw(self, images: NDArray[np.int64], count: int | None, parameter: str, part: str) -> Pairs:
        """``count`` ordered pairs of these images, none of which is in ``pairs`` or ``random-pairs`` if trained on."""
        import numpy as np

        from relattr.pairs import Pairs

        scores, seed = self.scored.score[images], derive_seed(self.seed, "viral", part)
        everything = Pairs.all_of(scores, items=images, seed=seed)
        if count is None:
            return everything
        tested = self._tested(images) if parameter == "n_train_pairs" else None
        excluded = 0 if tested is None else int(np.count_nonzero(tested.table)) // 2
        most = everything.n_ordered - excluded
        if not 1 <= count <= most:
            raise BadInput(
                f"viral: {parameter}={count:,}, but {images.size:,} images have {most:,} pairs that can be drawn; "
                f"expected 1 to {most:,}, or None for all"
            )
        drawn = Pairs.from_scores(scores, count=count + excluded, seed=seed, ties="skip", items=images)
        if tested is None or not excluded:
            return drawn
        kept = np.flatnonzero(~tested.table[tested.row[drawn.left], tested.row[drawn.right]])
        return drawn.take(kept[:count])

    def _tested(self, images: NDArray[np.int64]) -> _Tested:
        """Which pairs of these images are in ``pairs`` or ``random-pairs``."""
        import numpy as np

        low, high = self.extremes
        fixed = np.intersect1d(images, np.concatenate([low, high, self.random_pairs.ravel()]))
        row = np.full(self.scored.ids.size, fixed.size, np.int16)  # all other images share the last row, of no pair
        row[fixed] = np.arange(fixed.size)
        table = np.zeros((fixed.size + 1, fixed.size + 1), bool)
        table[np.ix_(row[low], row[high])] = True
        table[row[self.random_pairs[:, 0]], row[self.random_pairs[:, 1]]] = True
        table[-1] = table[:, -1] = False
        return _Tested(row, table | table.T)


@dataclass(frozen=True, eq=False)
class _Tested:
    """``table[row[i], row[j]]``: whether images i and j are a test pair. Small: most images are in none."""

    row: NDArray[np.int16]
    table: NDArray[np.bool_]
