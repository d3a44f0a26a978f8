"""The split of a user's images into one part for training and one that is held out for testing."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs

from ._folder_labels import FolderLabels
from ._folder_split import draw_held_out

SHARE = 0.3
"""The share of images that is held out by default."""
MIN_TEST_IMAGES = 100
MIN_TEST_PAIRS = 400
"""With fewer held-out images or ordered pairs of them, a file is cross-validated. 400 pairs that share no image have
an interval of +- 4 points at 80 %, and 100 images, all of whose pairs are tested, one of the same width."""


class HeldOut:
    """Some images are held out, drawn by their names; the same for every attribute."""

    splits = ("standard",)

    def __init__(self, labels: FolderLabels, share: float) -> None:
        self._labels = labels
        self._share = share

    @cached_property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the training images and of the images held out, ascending."""
        return self._parts_with_seed(self._labels.seed)

    def _parts_with_seed(self, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        images = self._labels.comparisons.images
        held_out = draw_held_out(images, *self._labels.compared_images, self._share, seed)
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def is_small(self, attribute: str) -> bool:
        """Whether so few images or pairs of an attribute are held out that an interval is wide."""
        if self._labels.has_scores:
            items, _ = self._labels.comparisons.scores[attribute]
            return int(np.isin(items, self.parts[1]).sum()) < MIN_TEST_IMAGES
        test = self._labels.among(attribute, "test", self.parts[1])
        return test.images.size < MIN_TEST_IMAGES or test.n_ordered < MIN_TEST_PAIRS

    def splits_of(self, attribute: str) -> tuple[str, ...]:
        """The splits of an attribute."""
        return self.splits

    def pairs(self, attribute: str, split: str) -> tuple[Pairs, Pairs]:
        """The training pairs and the test pairs. Raises `BadInput` if either has no ordered pair."""
        train = self._labels.among(attribute, "train", self.parts[0])
        test = self._labels.among(attribute, "test", self.parts[1])
        for purpose, pairs, images in (("train", train, self.parts[0]), ("test", test, self.parts[1])):
            if not pairs.n_ordered:
                raise BadInput(
                    f"{self._labels.comparisons.path}: attribute {attribute!r} has no ordered pair to {purpose} on "
                    f"{images.size} images (folder.test={self._share:g}, folder.seed={self._labels.seed}): "
                    f"{self._labels.explain(attribute, self._works, 'folder.test or folder.seed')}"
                )
        return train, test

    def _works(self, seed: int, ordered: Pairs) -> bool:
        return all(
            (np.isin(ordered.left, images) & np.isin(ordered.right, images)).any()
            for images in self._parts_with_seed(seed)
        )

    def describe(self, split: str, train: Pairs, test: Pairs) -> str:
        """How the images are divided, for the protocol of a task."""
        return (
            f"{self.parts[1].size:,} of the {self._labels.n_images:,} images are held out, drawn by their names with "
            f"seed {self._labels.seed} and share {self._share:g}; {len(train):,} training pairs among the others, "
            f"{len(test):,} test pairs among these, {test.n_ordered:,} of them ordered."
        )

    def summary(self, attribute: str) -> str:
        """The numbers of training and test pairs."""
        train, test = self.pairs(attribute, "standard")
        return (
            f"{train.n_ordered:,} ordered and {train.n_similar:,} similar training pairs; {test.n_ordered:,} and "
            f"{test.n_similar:,} test pairs"
        )

    def notes(self, attribute: str) -> list[str]:
        """A note on the pairs that are not used."""
        if self._labels.has_scores:
            return []
        train, test = self.pairs(attribute, "standard")
        lost = len(self._labels.everything(attribute)) - len(train) - len(test)
        note = f"{lost:,} pairs of {attribute} compare a training image with a test image and are left out"
        return [note] if lost else []
