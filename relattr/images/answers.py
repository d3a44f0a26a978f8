"""What people or machines answered about pairs of images: which of the two has more of this and that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput


class PairAnswers:
    """Answers to the same questions about some pairs of a collection of images; immutable.

    Parameters
    ----------
    pairs : ``(n, 2)`` positions in the collection, the first image and the second; each two images once.
    answers : ``(n, k)`` of +1 (the first has more), -1 (the second), 0 (neither), one column a question.
    questions : ``(k,)`` names of what was asked.

    Raises `BadInput` for other shapes or codes, an image paired with itself, and two images that are there twice.
    """

    def __init__(self, pairs: ArrayLike, answers: ArrayLike, questions: Sequence[str]) -> None:
        which, given = np.asarray(pairs, np.int64), np.asarray(answers)
        self.questions = tuple(questions)
        if which.ndim != 2 or which.shape[1] != 2 or given.shape != (len(which), len(self.questions)):
            raise BadInput(
                f"pairs {which.shape} and answers {given.shape} must be (n, 2) and (n, {len(self.questions)}), "
                "one column a question"
            )
        if not np.isin(given, (-1, 0, 1)).all() or (which.size and which.min() < 0):
            raise BadInput("answers must be +1, -1 or 0, and pairs positions of images, from 0")
        if (which[:, 0] == which[:, 1]).any():
            raise BadInput(f"image {which[(which[:, 0] == which[:, 1])][0, 0]} is paired with itself")
        self._factor = int(which.max(initial=0)) + 1
        keys = self._key(which[:, 0], which[:, 1])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        twice = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if twice.size:
            first, second = which[order[twice[0]]]
            raise BadInput(f"images {first} and {second} are paired twice")
        upwards = np.where(which[:, 0] < which[:, 1], 1, -1)[:, None]
        self._answers = (given * upwards)[order].astype(np.int8)

    def __len__(self) -> int:
        return self._keys.size

    def of(self, left: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """The answers about these pairs, ``(m, k)``, +1 the left one has more, and which are known, ``(m,)``.

        The other way round the answers are negated; those that are not known are 0.
        """
        a, b = np.asarray(left, np.int64), np.asarray(right, np.int64)
        if not len(self):
            return np.zeros((a.size, len(self.questions)), np.int8), np.zeros(a.shape, np.bool_)
        keys = np.where((a < self._factor) & (b < self._factor), self._key(a, b), -1)
        place = np.searchsorted(self._keys, keys).clip(0, len(self) - 1)
        known = self._keys[place] == keys
        sides = (np.where(a < b, 1, -1) * known).astype(np.int8)
        return self._answers[place] * sides[:, None], known

    def among(self, images: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
        """All pairs of which both images are among these positions ``(m,)``: where in them, left and right, answers.

        Raises `BadInput` for a position that is given twice.
        """
        which = np.asarray(images, np.int64)
        if np.unique(which).size != which.size:
            raise BadInput("an image is given twice")
        place = np.full(max(self._factor, int(which.max(initial=0)) + 1), -1)
        place[which] = np.arange(which.size)
        left, right = place[self._keys // self._factor], place[self._keys % self._factor]
        here = (left >= 0) & (right >= 0)
        return left[here], right[here], self._answers[here]

    def _key(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(first, second) * self._factor + np.maximum(first, second)
