"""The images whose labels a model was fitted on: an accuracy on them says nothing about other images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relattr.system.digests import digest_array, digest_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.interface.model import Model
    from relattr.task import Task, TestSet, TrainingSet


@dataclass(frozen=True, eq=False)
class SeenImages:
    """Images, without their pixels."""

    collection: str
    """The fingerprint of the collection of images that they are from."""
    indices: NDArray[np.int32]
    """Their positions in the collection."""

    @classmethod
    def of(cls, images: Images) -> SeenImages:
        return cls(images.collection_fingerprint, images.indices)

    @classmethod
    def labelled_in(cls, train: TrainingSet) -> SeenImages:
        """The images of a training set that are in a pair, or have a score or category, in ascending order.

        Training and test set of a user's own pairs may have the same ``images``: the labels tell them apart.
        """
        import numpy as np

        labelled = np.full(len(train.images), train.scores is not None)
        labelled[train.pairs.images] = True
        if train.categories is not None:
            labelled |= train.categories >= 0
        return cls(train.images.collection_fingerprint, np.unique(train.images.indices[labelled]))

    @property
    def digest(self) -> str:
        """A digest of the pixels of these images, and their order."""
        return digest_text(self.collection, digest_array(self.indices))


def warn_of_seen_images(model: Model, task: Task | TestSet, test: TestSet) -> None:
    """Warn if the model was fitted on labels of images of the test set, unless that is of the same task.

    The training set and the test sets of one task share images only where the published protocol does, which the notes
    of the task say.
    """
    n_seen, n_images = _n_seen(model, task, test), test.pairs.images.size
    if n_seen:
        warnings.warn(
            f"{model.name} was fitted on {n_seen:,} of the {n_images:,} images of the test set {test.name!r}, so this "
            "is not its accuracy on new images. Fit it on the training set of the task, task.train, or on pairs of "
            "other images, or use relattr.cross_validate",
            stacklevel=3,
        )


def _n_seen(model: Model, task: Task | TestSet, test: TestSet) -> int:
    """The number of images in pairs of a test set on whose labels the model was fitted, as far as is known."""
    import numpy as np

    from relattr.task import Task

    assert model.fitted_on is not None
    if isinstance(task, Task) and model.fitted_on.images == SeenImages.of(task.train.images).digest:
        return 0
    compared = test.images.indices[test.pairs.images]
    seen = model.seen_images
    if seen is None:  # a file of a model has a digest only, which tells whether it was fitted on the whole collection
        everything = np.arange(test.images.n_collection, dtype=np.int32)
        whole = SeenImages(test.images.collection_fingerprint, everything)
        return compared.size if model.fitted_on.labelled == whole.digest else 0
    if seen.collection != test.images.collection_fingerprint:
        return 0
    return int(np.isin(compared, seen.indices).sum())
