"""A chain's own detector: a linear SVM that tells its patches from the rest of the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

Patches = NDArray[Any]
"""Features of the candidates of each image, ``(n, n_patches, d)``, of any floating type."""

_TOL = 1e-2  # LIBLINEAR's own


@dataclass(frozen=True)
class DetectorConfig:
    """How a detector is trained.

    ``C`` weighs the squared hinge loss of one patch. Negatives are random candidates that overlap the chain's
    patch by less than ``apart`` (intersection over union): ``negatives`` of each image, ``most`` in all. ``folds``
    parts of the chain are each looked at by a detector trained without it.
    """

    C: float = 0.1
    negatives: int = 200
    most: int = 5000
    apart: float = 0.3
    folds: int = 5


@dataclass(frozen=True, eq=False)
class Detector:
    """Weights ``(d + 1,)``, the last of them the bias, and those for the images it was trained on.

    ``fold_weights`` ``(folds, d + 1)`` are of the detectors trained without a fold; ``fold_of`` says which fold an
    image is in.
    """

    weights: NDArray[np.float32]
    fold_weights: NDArray[np.float32]
    fold_of: dict[int, int]

    def responses(self, patches: Patches, images: Sequence[int]) -> NDArray[np.float32]:
        """How much each patch of these images is like the chain's, ``(len(images), n_patches)``.

        An image of the chain is judged by a detector that never saw it, so that its patches are not found better
        only because they were learned by heart.
        """
        found = []
        for i in images:
            fold = self.fold_of.get(int(i))
            w = self.weights if fold is None else self.fold_weights[fold]
            found.append(patches[i].astype(np.float32) @ w[:-1] + w[-1])
        return np.stack(found)


def train_detector(
    patches: Patches,
    images: NDArray[np.integer[Any]],
    path: NDArray[np.integer[Any]],
    overlap: NDArray[Any],
    how: DetectorConfig,
    rng: np.random.Generator,
) -> Detector:
    """Train a detector on a chain: patch ``path[k]`` of image ``images[k]``, both ``(n_chain,)``.

    ``overlap`` ``(n_patches, n_patches)`` is the intersection over union of the candidates.
    """
    n = images.size
    positive = patches[images, path].astype(np.float32)
    per_image = max(1, min(how.negatives, how.most // n))
    negative, source = [], []
    for k, (i, p) in enumerate(zip(images, path, strict=True)):
        apart = np.flatnonzero(overlap[p] < how.apart)
        some = rng.choice(apart, min(per_image, apart.size), replace=False)
        negative.append(patches[i, some].astype(np.float32))
        source.append(np.full(some.size, k))
    x = np.concatenate([positive, *negative])
    y = np.arange(len(x)) < n
    owner = np.concatenate([np.arange(n), *source])
    if y.all():  # patches as large as the image: nothing to tell them from
        none = np.zeros(x.shape[1] + 1, np.float32)
        return Detector(none, none[None], {})
    folds = min(how.folds, n)
    fold = rng.permutation(np.arange(n) % folds)
    weights = [_svm(x, y, how.C)]
    for f in range(folds if folds > 1 else 0):
        rest = fold[owner] != f
        weights.append(_svm(x[rest], y[rest], how.C))
    of_image = {int(i): int(f) for i, f in zip(images, fold, strict=True)} if folds > 1 else {}
    return Detector(weights[0], np.stack(weights[1:] or weights), of_image)


def _svm(x: NDArray[np.float32], y: NDArray[np.bool_], C: float) -> NDArray[np.float32]:
    """Weights and bias of a linear SVM with squared hinge loss, as LIBLINEAR has it."""
    if y.all():
        return np.zeros(x.shape[1] + 1, np.float32)
    svm = LinearSVC(C=C, dual=False, tol=_TOL).fit(x, y)
    return np.append(svm.coef_[0], svm.intercept_).astype(np.float32)
