"""Tasks: a training set and the test sets that methods are evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from relattr.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.pairs import Pairs


@dataclass(frozen=True)
class PublishedTraining:
    """How the published ranking networks were trained on a dataset. Methods follow it without knowing the dataset.

    Parameters
    ----------
    epochs : passes over all training pairs, for each stage of training; None if none is published.
    initial_scale : side of the initial crop of a spatial transformer relative to the image, in (0, 1]; None if none is
        published.
    supplement : the network whose features the published category-supplemented networks use; empty if there is none.
    categories_of : name of the dataset whose categories that network was trained on; empty for any other network.
    """

    epochs: int | None = None
    initial_scale: float | None = None
    supplement: str = ""
    categories_of: str = ""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Everything that a method receives in ``fit``. It contains no test pairs and no test images.

    Parameters
    ----------
    images : the training images.
    pairs : indices into them.
    scores : ``(n,)`` float, one per image, larger = more of the attribute; None if the dataset has no scores.
    categories : ``(n,)`` integers, the category of each image, -1 for an image without one; None if the dataset has no
        categories.
    category_names : the name of each category.
    published : how the published ranking networks were trained on this dataset.

    Raises `BadInput` for a pair of an image that does not exist, for scores and categories of the wrong length, and
    for scores that are not finite.
    """

    images: Images
    pairs: Pairs
    scores: NDArray[Any] | None = None
    categories: NDArray[Any] | None = None
    category_names: Sequence[str] = ()
    published: PublishedTraining = PublishedTraining()

    def __post_init__(self) -> None:
        _check_types("TrainingSet", self.images, self.pairs)
        _check_pairs("training", self.images, self.pairs)
        for name, values in (("scores", self.scores), ("categories", self.categories)):
            if values is not None and values.shape != (len(self.images),):
                raise BadInput(f"{name} have shape {values.shape}; expected ({len(self.images)},), one per image")
        if self.scores is not None:
            _check_finite("training", self.scores)
        if self.categories is not None and self.categories.dtype.kind not in "iu":
            raise BadInput(f"categories must be integers, one per image; got {self.categories.dtype}")
        if self.categories is not None and self.categories.size:
            lowest, highest = int(self.categories.min()), int(self.categories.max())
            if lowest < -1 or highest >= len(self.category_names):
                raise BadInput(
                    f"categories range from {lowest} to {highest}, but {len(self.category_names)} names are given"
                )

    def __repr__(self) -> str:
        extras = [name for name in ("scores", "categories") if getattr(self, name) is not None]
        return f"TrainingSet({', '.join([repr(self.images), repr(self.pairs), *extras])})"


@dataclass(frozen=True, eq=False)
class TestSet:
    """Named pairs on which methods are evaluated. Similar pairs are not counted.

    Parameters
    ----------
    name : the name of the test set within its task.
    images : the test images.
    pairs : indices into them.
    boxes : ``(n, k, 4)``, the true positions of the k cues in each image as x0, y0, x1, y1 in [0, 1], if known.
    note : what readers of a table must know, for example that images are shared with the training set.
    scores : ``(n,)`` float, one per image, larger = more of the attribute. If given, Spearman's rank correlation of the
        strengths with them is reported too, over the images that occur in a pair.
    deviation : how these pairs differ from those of the published numbers, so that the numbers cannot be compared;
        empty if they can.
    fold : whether these are the pairs of one fold of a cross-validation, whose folds are the splits of the dataset. The
        accuracy is then that on the pairs of all folds together, not the mean over the splits.
    """

    __test__: ClassVar[bool] = False  # keeps pytest from collecting it as a test class

    name: str
    images: Images
    pairs: Pairs
    boxes: NDArray[Any] | None = None
    note: str = ""
    scores: NDArray[Any] | None = None
    deviation: str = ""
    fold: bool = False

    def __post_init__(self) -> None:
        _check_types("TestSet", self.images, self.pairs)
        _check_pairs(f"test set {self.name!r}", self.images, self.pairs)
        if self.boxes is not None and (self.boxes.ndim != 3 or self.boxes.shape[::2] != (len(self.images), 4)):
            raise BadInput(f"boxes have shape {self.boxes.shape}; expected ({len(self.images)}, k, 4)")
        if self.scores is not None:
            if self.scores.shape != (len(self.images),):
                raise BadInput(f"scores have shape {self.scores.shape}; expected ({len(self.images)},), one per image")
            _check_finite("test", self.scores)

    def __repr__(self) -> str:
        extras = [name for name in ("boxes", "scores") if getattr(self, name) is not None]
        return f"TestSet({', '.join([repr(self.name), repr(self.images), repr(self.pairs), *extras])})"


@dataclass(frozen=True)
class TaskName:
    """The name of a task: (dataset, attribute, split)."""

    dataset: str
    attribute: str
    split: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.attribute}/{self.split}"


@dataclass(frozen=True, eq=False)
class Task:
    """A training set and the test sets on which methods are evaluated.

    ``protocol`` describes in a sentence where pairs, labels and split come from. ``deviations`` lists every difference
    from the published data or protocol that makes a number incomparable with the published one. ``notes`` lists what
    else readers must know, for example choices where the publication is silent.
    """

    name: TaskName
    train: TrainingSet
    tests: Sequence[TestSet]
    protocol: str
    notes: Sequence[str] = ()
    deviations: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [test.name for test in self.tests]
        if not names or len(set(names)) != len(names):
            raise BadInput(f"task {self.name} needs at least one test set, and distinct names; got {names}")

    def __repr__(self) -> str:
        return f"Task({str(self.name)!r}, train={self.train!r}, tests={list(self.tests)!r})"


def _check_types(what: str, images: object, pairs: object) -> None:
    from relattr.images import Images
    from relattr.pairs import Pairs

    if not isinstance(images, Images):
        raise BadInput(f"the images of a {what} are a {type(images).__name__}; expected relattr.load_images(...)")
    if not isinstance(pairs, Pairs):
        raise BadInput(
            f"the pairs of a {what} are a {type(pairs).__name__}; expected relattr.Pairs(left, right, label)"
        )


def _check_pairs(what: str, images: Images, pairs: Pairs) -> None:
    largest = int(pairs.images.max(initial=-1))
    if largest >= len(images):
        raise BadInput(f"a {what} pair has image index {largest}, but there are {len(images)} images")


def _check_finite(what: str, scores: NDArray[Any]) -> None:
    import numpy as np

    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        raise BadInput(f"the score of {what} image {bad[0]} is {scores[bad[0]]}; scores must be finite")
