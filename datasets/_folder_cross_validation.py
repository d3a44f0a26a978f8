"""The cross-validation of a user's images: each pair is tested once, with a model that has seen neither image."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.random import derive_seed

from ._folder_folds import FOLD_NAMES, FOLDS, draw_groups, fold_of_pairs
from ._folder_labels import FolderLabels

MAX_LISTED_PAIRS = 5_000_000
"""All pairs of scored images are listed up to this number."""


class CrossValidation:
    """Seven folds of the images, drawn by their names; the same for every attribute. See `_folder_folds`."""

    splits = FOLD_NAMES

    def __init__(self, labels: FolderLabels) -> None:
        self._labels = labels
        self._folded: dict[str, tuple[Pairs, NDArray[np.int64]]] = {}
        self._usable: dict[str, tuple[int, ...]] = {}

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The group of each image, ``(n,)``."""
        return self._groups_with_seed(self._labels.seed)

    def _groups_with_seed(self, seed: int) -> NDArray[np.int64]:
        return draw_groups(self._labels.comparisons.images, *self._labels.compared_images, seed)

    def splits_of(self, attribute: str) -> tuple[str, ...]:
        """The folds of an attribute that have ordered pairs to train on and to test; the first fold if none has."""
        return tuple(FOLD_NAMES[k] for k in self._usable_folds(attribute) or (0,))

    def pairs(self, attribute: str, split: str) -> tuple[Pairs, Pairs]:
        """The training pairs and the test pairs of a fold. Raises `BadInput` if no fold has ordered pairs of both."""
        if not self._usable_folds(attribute):
            raise BadInput(
                f"{self._labels.comparisons.path}: no fold of the cross-validation of {attribute!r} has ordered pairs "
                f"both to train on and to test (folder.seed={self._labels.seed}): "
                f"{self._labels.explain(attribute, self._works, 'folder.seed')}"
            )
        fold = FOLD_NAMES.index(split)
        pairs, folds = self._tested_pairs(attribute)
        sides = derive_seed(self._labels.seed, "folder", attribute, "test")
        train = self._labels.among(attribute, "train", np.flatnonzero(~np.isin(self.groups, FOLDS[fold])))
        return train, pairs.take(folds == fold).random_sides(sides, self._labels.identities)

    def _tested_pairs(self, attribute: str) -> tuple[Pairs, NDArray[np.int64]]:
        """All pairs that are tested, and the fold of each, ``(n_pairs,)``."""
        if attribute not in self._folded:
            pairs = self._scored_pairs(attribute) if self._labels.has_scores else self._labels.everything(attribute)
            self._folded[attribute] = pairs, fold_of_pairs(self.groups[pairs.left], self.groups[pairs.right])
        return self._folded[attribute]

    def _scored_pairs(self, attribute: str) -> Pairs:
        items, _ = self._labels.comparisons.scores[attribute]
        n_pairs = items.size * (items.size - 1) // 2
        if min(self._labels.n_pairs["test"] or n_pairs, n_pairs) > MAX_LISTED_PAIRS:
            raise BadInput(
                f"dataset folder: the {items.size:,} images with a score of {attribute!r} have {n_pairs:,} pairs; "
                f"cross-validation tests at most {MAX_LISTED_PAIRS:,}: set n_test_pairs, or split=held-out"
            )
        return self._labels.among(attribute, "test", items)

    def _usable_folds(self, attribute: str) -> tuple[int, ...]:
        """The folds with ordered pairs to train on and to test."""
        if attribute not in self._usable:
            pairs, _ = self._tested_pairs(attribute)
            self._usable[attribute] = _folds_with_pairs(pairs.take(pairs.label != 0), self.groups)
        return self._usable[attribute]

    def _works(self, seed: int, ordered: Pairs) -> bool:
        return bool(_folds_with_pairs(ordered, self._groups_with_seed(seed)))

    def describe(self, split: str, train: Pairs, test: Pairs) -> str:
        """How the images are divided, for the protocol of a task."""
        held_out = np.isin(self.groups, FOLDS[FOLD_NAMES.index(split)])
        return (
            f"Cross-validation over images: seven groups, drawn by the images' names with seed {self._labels.seed}; "
            "each of seven folds holds out three groups, any two together in one fold, so that each pair is tested "
            f"once. {split}: {int(held_out.sum()):,} of the {self._labels.n_images:,} images are held out; "
            f"{len(train):,} training pairs, {len(test):,} test pairs, {test.n_ordered:,} of them ordered."
        )

    def summary(self, attribute: str) -> str:
        """The numbers of training and test pairs."""
        folds = [self.pairs(attribute, split) for split in self.splits_of(attribute)]
        n_train = [train.n_ordered for train, _ in folds]
        n_ordered, n_similar = (sum(getattr(test, n) for _, test in folds) for n in ("n_ordered", "n_similar"))
        return (
            f"{n_ordered:,} ordered and {n_similar:,} similar pairs, each tested once in {len(folds)} folds; "
            f"{min(n_train):,} to {max(n_train):,} ordered training pairs in a fold"
        )

    def notes(self, attribute: str) -> list[str]:
        """A note on the pairs that are not tested."""
        _, folds = self._tested_pairs(attribute)
        lost = int((~np.isin(folds, self._usable_folds(attribute))).sum())
        note = f"{lost:,} pairs of {attribute} are not tested: in their fold no ordered pair is left to train on"
        return [note] if lost else []


def _folds_with_pairs(ordered: Pairs, groups: NDArray[np.int64]) -> tuple[int, ...]:
    """The folds that have some of these pairs to train on, and some to test."""
    first, second = groups[ordered.left], groups[ordered.right]
    tested = np.bincount(fold_of_pairs(first, second), minlength=len(FOLDS))
    return tuple(
        k
        for k, held_out in enumerate(FOLDS)
        if tested[k] and (~np.isin(first, held_out) & ~np.isin(second, held_out)).any()
    )
