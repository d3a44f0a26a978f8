"""The labelled pairs of a user's file among some of its images."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.pairs import Pairs
from relattr.random import derive_seed
from relattr.system.digests import digest_text

from ._folder_csv import Comparisons
from ._folder_design import explain_design
from ._folder_pairs import sample_pairs

MAX_EXPLAINED_PAIRS = 5_000_000
"""Of larger files, the design is not analysed for a message."""
Purpose = Literal["train", "test"]
SplitTest = Callable[[int, Pairs], bool]


class FolderLabels:
    """The pairs of each attribute, over all images.

    Parameters
    ----------
    comparisons : the contents of the file.
    seed : decides the sides of pairs, and which pairs of scored images are drawn.
    n_train_pairs, n_test_pairs : number of pairs to draw among scored images; None takes all of them.
    """

    def __init__(
        self, comparisons: Comparisons, seed: int, n_train_pairs: int | None, n_test_pairs: int | None
    ) -> None:
        self.comparisons = comparisons
        self.seed = seed
        self.n_pairs: dict[Purpose, int | None] = {"train": n_train_pairs, "test": n_test_pairs}

    @property
    def has_scores(self) -> bool:
        """Whether the file has scores, rather than pairs or votes."""
        return self.comparisons.kind == "scores"

    @property
    def n_images(self) -> int:
        return len(self.comparisons.images)

    @cached_property
    def identities(self) -> NDArray[np.int64]:
        """A number for each image that depends on its name alone."""
        names = (unicodedata.normalize("NFC", name) for name in self.comparisons.images)
        return np.array([int(digest_text(name)[:15], 16) for name in names], np.int64)

    @cached_property
    def compared_images(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The images of the pairs of all attributes; empty if the file has scores."""
        pairs = self.comparisons.pairs.values()
        left, right = (np.concatenate([np.empty(0, np.int32), *(p.arrays[k] for p in pairs)]) for k in (0, 1))
        return left, right

    def everything(self, attribute: str) -> Pairs:
        """All pairs of an attribute."""
        if self.has_scores:
            items, scores = self.comparisons.scores[attribute]
            return Pairs.from_scores(scores, items=items)
        return self.comparisons.pairs[attribute]

    def among(self, attribute: str, purpose: Purpose, images: NDArray[np.integer]) -> Pairs:
        """The pairs both of whose images are among these, with random sides; of scored images, all or a sample."""
        seed = derive_seed(self.seed, "folder", attribute, purpose)
        if not self.has_scores:
            pairs = self.comparisons.pairs[attribute]
            inside = np.isin(pairs.left, images) & np.isin(pairs.right, images)
            return pairs.take(inside).random_sides(seed, self.identities)
        items, scores = self.comparisons.scores[attribute]
        inside = np.isin(items, images)
        items, scores = items[inside], scores[inside]
        count = self.n_pairs[purpose]
        # a small file may have fewer pairs than requested; it then gives all of them
        if count is None or count >= items.size * (items.size - 1) // 2:
            return Pairs.from_scores(scores, items=items, seed=seed)
        left, right = sample_pairs(self.identities[items], count, seed)
        label = np.sign(scores[left] - scores[right]).astype(np.int8)
        return Pairs(items[left], items[right], label).random_sides(seed, self.identities)

    def explain(self, attribute: str, works: SplitTest, choices: str) -> str:
        """Why one side of a split has no ordered pair, and what to change.

        ``works(seed, ordered)`` is whether both sides of the split with another seed have some of these pairs;
        ``choices`` are the parameters that change the split.
        """
        pairs = self.everything(attribute)
        if pairs.n_ordered and len(pairs) > MAX_EXPLAINED_PAIRS:
            return f"give more comparisons, or set another {choices}"
        ordered = pairs.ordered() if pairs.n_ordered else pairs.take(np.empty(0, np.int64))
        return explain_design(ordered, len(pairs), self.comparisons.images, lambda seed: works(seed, ordered), choices)
