"""What there is to learn and how it is judged: training set, test sets, task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from relattr.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.pairs import Pairs


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """All that a method ever sees in ``fit``: no test pair, no test image.

    Parameters
    ----------
    images : the training images.
    pairs : indices into them.
    scores : ``(n,)`` float, one per image, larger = more; None where the dataset has none.
    categories : ``(n,)`` integers, the class of each image; None where the dataset has none.
    category_names : the name of each class.

    Raises `BadInput` for a pair whose image is not there, for scores and categories of wrong length, and
    for scores that are not finite.
    """

    images: Images
    pairs: Pairs
    scores: NDArray[Any] | None = None
    categories: NDArray[Any] | None = None
    category_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_pairs("training", self.images, self.pairs)
        for name, values in (("scores", self.scores), ("categories", self.categories)):
            if values is not None and values.shape != (len(self.images),):
                raise BadInput(f"{name} have shape {values.shape}; expected ({len(self.images)},), one per image")
        if self.scores is not None:
            _check_finite("training", self.scores)
        if self.categories is not None and self.categories.dtype.kind not in "iu":
            raise BadInput(f"categories must be integers, one per image; got {self.categories.dtype}")
        if self.categories is not None and self.categories.size:
            low, high = int(self.categories.min()), int(self.categories.max())
            if low < 0 or high >= len(self.category_names):
                raise BadInput(f"categories run from {low} to {high} but {len(self.category_names)} are named")


@dataclass(frozen=True, eq=False)
class TestSet:
    """Pairs to be judged on, called ``name``; similar ones are never scored.

    ``boxes`` ``(n, k, 4)`` gives, where the truth is known, the k cues of each image as x0, y0, x1, y1
    in [0, 1]. ``note`` says what a reader must know, such as images shared with training. ``scores`` ``(n,)``
    float, one per image, larger = more: where they are given, strengths are also judged by Spearman's
    rank correlation with them, over the images that are in a pair.
    """

    __test__: ClassVar[bool] = False  # pytest must not take it for a class of tests

    name: str
    images: Images
    pairs: Pairs
    boxes: NDArray[Any] | None = None
    note: str = ""
    scores: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        _check_pairs(f"test set {self.name!r}", self.images, self.pairs)
        if self.boxes is not None and (self.boxes.ndim != 3 or self.boxes.shape[::2] != (len(self.images), 4)):
            raise BadInput(f"boxes have shape {self.boxes.shape}; expected ({len(self.images)}, k, 4)")
        if self.scores is not None:
            if self.scores.shape != (len(self.images),):
                raise BadInput(f"scores have shape {self.scores.shape}; expected ({len(self.images)},), one per image")
            _check_finite("test", self.scores)


@dataclass(frozen=True)
class TaskName:
    """One thing to learn: (dataset, attribute, split)."""

    dataset: str
    attribute: str
    split: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.attribute}/{self.split}"


@dataclass(frozen=True, eq=False)
class Task:
    """A training set and the named test sets a method is judged on.

    ``protocol`` says in a sentence where pairs, labels and split come from; ``notes`` every way in
    which they are not what a published number was measured on.
    """

    name: TaskName
    train: TrainingSet
    tests: Sequence[TestSet]
    protocol: str
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [test.name for test in self.tests]
        if not names or len(set(names)) != len(names):
            raise BadInput(f"task {self.name} needs test sets of different names; got {names}")


def _check_pairs(what: str, images: Images, pairs: Pairs) -> None:
    largest = int(pairs.images.max(initial=-1))
    if largest >= len(images):
        raise BadInput(f"a {what} pair names image {largest}, but there are {len(images)} images")


def _check_finite(what: str, scores: NDArray[Any]) -> None:
    import numpy as np

    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        raise BadInput(f"the score of {what} image {bad[0]} is {scores[bad[0]]}; scores must be finite")
