"""Answers of people or models about pairs of images: which of the two has more of several properties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput


class PairAnswers:
    """Immutable answers to the same questions about some pairs of images of a collection.

    Parameters
    ----------
    pairs : ``(n, 2)`` positions of the first and the second image in the collection; each pair of images once.
    answers : ``(n, k)`` of +1 (the first has more), -1 (the second), 0 (neither), one column for each question.
    questions : ``(k,)`` names of the questions.

    Raises `BadInput` for other shapes or codes, an image paired with itself, and a pair that occurs twice.
    """

    def __init__(self, pairs: ArrayLike, answers: ArrayLike, questions: Sequence[str]) -> None:
        positions, codes = np.asarray(pairs, np.int64), np.asarray(answers)
        self.questions = tuple(questions)
        if positions.ndim != 2 or positions.shape[1] != 2 or codes.shape != (len(positions), len(self.questions)):
            raise BadInput(
                f"pairs {positions.shape} and answers {codes.shape} must be (n, 2) and (n, {len(self.questions)}), "
                "one column for each question"
            )
        if not np.isin(codes, (-1, 0, 1)).all() or (positions.size and positions.min() < 0):
            raise BadInput("answers must be +1, -1 or 0, and pairs positions of images, from 0")
        with_itself = positions[positions[:, 0] == positions[:, 1]]
        if len(with_itself):
            raise BadInput(f"image {with_itself[0, 0]} is paired with itself")
        self._factor = int(positions.max(initial=0)) + 1
        keys = self._key(positions[:, 0], positions[:, 1])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        twice = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if twice.size:
            first, second = positions[order[twice[0]]]
            raise BadInput(f"images {first} and {second} are paired twice")
        sign = np.where(positions[:, 0] < positions[:, 1], 1, -1)[:, None]  # stored for the smaller position first
        self._answers = (codes * sign)[order].astype(np.int8)

    def __len__(self) -> int:
        return self._keys.size

    def of(self, left: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """The answers about these pairs, ``(m, k)``, +1 if the left image has more, and which are known, ``(m,)``.

        Swapping the images of a pair negates its answers. Unknown answers are 0.
        """
        a, b = np.asarray(left, np.int64), np.asarray(right, np.int64)
        if not len(self):
            return np.zeros((a.size, len(self.questions)), np.int8), np.zeros(a.shape, np.bool_)
        keys = np.where((a < self._factor) & (b < self._factor), self._key(a, b), -1)
        rows = np.searchsorted(self._keys, keys).clip(0, len(self) - 1)
        known = self._keys[rows] == keys
        signs = (np.where(a < b, 1, -1) * known).astype(np.int8)
        return self._answers[rows] * signs[:, None], known

    def among(self, images: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
        """All pairs of the images at these positions ``(m,)``: ``left`` and ``right``, indices into them, and answers.

        Raises `BadInput` for a duplicate position.
        """
        positions = np.asarray(images, np.int64)
        if np.unique(positions).size != positions.size:
            raise BadInput("an image is given twice")
        index = np.full(max(self._factor, int(positions.max(initial=0)) + 1), -1)
        index[positions] = np.arange(positions.size)
        left, right = index[self._keys // self._factor], index[self._keys % self._factor]
        inside = (left >= 0) & (right >= 0)
        return left[inside], right[inside], self._answers[inside]

    def _key(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(first, second) * self._factor + np.maximum(first, second)
