"""Optional parts of the method contract: inspection of fitted methods, and human or machine answers about pairs.

A method inherits from a mix-in beside `relattr.Method`::

    class MyMethod(InspectionMixin, Method): ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.run_settings import Run
    from relattr.task import Task, TestSet, TrainingSet

TieRule = Literal["error", "half", "drop"]


class InspectionMixin:
    """For methods that can show where they attend in an image, or arrays to draw figures from."""

    def boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        """Where the fitted method attends in each image.

        Returns ``(n, k, 4)``: x0, y0, x1, y1 in units of the image, which is [0, 1]; boxes may reach beyond it. None
        for a method without boxes. Where a test set has the true boxes, these are compared with them.
        """
        return None

    def initial_boxes(self, images: Images) -> NDArray[np.floating[Any]] | None:
        """The `boxes` before training, the baseline for the comparison with the true boxes; None if unknown."""
        return None

    def artifacts(self, train: TrainingSet, run: Run) -> Mapping[str, NDArray[Any]]:
        """Arrays to draw figures from, stored beside the strengths; called after the method has been evaluated.

        ``curve`` ``(points, 4)`` is a learning curve: step, loss, held-out accuracy or NaN, seconds. ``neighbours``
        ``(n, k)`` are the nearest training images of each training image, ``neighbours before`` those in the features
        that training started from, and ``strengths`` ``(n,)`` the strengths of the training images.
        """
        return {}

    def test_artifacts(self, train: TrainingSet, images: Images, run: Run) -> Mapping[str, NDArray[Any]]:
        """Arrays to draw figures of the images of a test set from; called after `artifacts`.

        ``queries`` ``(m,)`` are indices of some of the images, and ``query neighbours`` and ``query neighbours before``
        ``(m, k)`` their nearest training images, as in `artifacts`.
        """
        return {}


class PairAnswersMixin:
    """For methods that use answers about pairs of images, such as those of annotators (`Images.answers`).

    Such answers belong to the images, like their pixels; they are not the labels of the pairs.
    """

    train_answers: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Answers about training pairs that `fit` requires: name of the answers -> their questions."""
    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Answers about test pairs that `compare` requires. Only test sets that have them for every pair are used."""
    ties: ClassVar[TieRule] = "error"
    """How tied margins count: as errors, as for every other method; as half correct; or not at all ("drop").

    The other rules are for reproducing a number that was published under them. The rule is part of every table in
    which the number appears, and such a number is not compared with others.
    """

    @property
    def questions(self) -> dict[str, Sequence[str]]:
        """All answers that the method requires, about training and test pairs."""
        return {**self.train_answers, **self.test_answers}

    def missing_train_answers(self, train: TrainingSet) -> list[str]:
        """The names of the required answers that the training images do not have."""
        return [name for name, questions in self.train_answers.items() if not _has(train.images, name, questions)]

    def answered_tests(self, task: Task) -> list[TestSet]:
        """The test sets whose every pair has the required answers."""
        return [test for test in task.tests if all(self._is_answered(test, name) for name in self.test_answers)]

    def _is_answered(self, test: TestSet, name: str) -> bool:
        if not _has(test.images, name, self.test_answers[name]):
            return False
        positions, pairs = test.images.indices, test.pairs
        _, known = test.images.answers[name].of(positions[pairs.left], positions[pairs.right])
        return bool(known.all())


def _has(images: Images, name: str, questions: Sequence[str]) -> bool:
    return name in images.answers and images.answers[name].questions == tuple(questions)
