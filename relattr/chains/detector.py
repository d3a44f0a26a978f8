"""The detector of a chain: a linear SVM that separates its patches from the other patches of the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

Patches = NDArray[Any]
"""Features of the candidates of each image, ``(n, n_patches, d)``, of any floating-point type."""

_TOL = 1e-2  # LIBLINEAR's default


@dataclass(frozen=True)
class DetectorConfig:
    """Hyperparameters of a detector.

    Parameters
    ----------
    C : weight of the squared hinge loss of one patch.
    negatives : negatives per image: random candidates whose intersection over union with the chain's patch is below
        ``max_overlap``.
    max_negatives : negatives in all.
    max_overlap : see ``negatives``.
    folds : the chain is split into so many folds; its images are scored by a detector trained without their fold.
    """

    C: float = 0.1
    negatives: int = 200
    max_negatives: int = 5000
    max_overlap: float = 0.3
    folds: int = 5


@dataclass(frozen=True, eq=False)
class Detector:
    """A trained detector.

    Parameters
    ----------
    weights : ``(d + 1,)``, the bias last, for images it was not trained on.
    fold_weights : ``(folds, d + 1)``, of the detectors trained without each fold.
    fold_of : the fold of each training image.
    """

    weights: NDArray[np.float32]
    fold_weights: NDArray[np.float32]
    fold_of: dict[int, int]

    def responses(self, patches: Patches, images: Sequence[int]) -> NDArray[np.float32]:
        """The decision values of all patches of these images, ``(len(images), n_patches)``.

        An image of the chain is scored by the detector trained without its fold, so that its patches have no
        advantage from being training samples.
        """
        responses = []
        for i in images:
            fold = self.fold_of.get(int(i))
            w = self.weights if fold is None else self.fold_weights[fold]
            responses.append(patches[i].astype(np.float32) @ w[:-1] + w[-1])
        return np.stack(responses)


def train_detector(
    patches: Patches,
    images: NDArray[np.integer[Any]],
    path: NDArray[np.integer[Any]],
    overlap: NDArray[Any],
    config: DetectorConfig,
    rng: np.random.Generator,
) -> Detector:
    """Train a detector on a chain: patch ``path[k]`` of image ``images[k]``, both ``(n_chain,)``.

    ``overlap`` ``(n_patches, n_patches)`` is the intersection over union of the candidates.
    """
    n = images.size
    positives = patches[images, path].astype(np.float32)
    per_image = max(1, min(config.negatives, config.max_negatives // n))
    negatives, image_of_negatives = [], []
    for k, (i, p) in enumerate(zip(images, path, strict=True)):
        eligible = np.flatnonzero(overlap[p] < config.max_overlap)
        sample = rng.choice(eligible, min(per_image, eligible.size), replace=False)
        negatives.append(patches[i, sample].astype(np.float32))
        image_of_negatives.append(np.full(sample.size, k))
    x = np.concatenate([positives, *negatives])
    y = np.arange(len(x)) < n
    image_of = np.concatenate([np.arange(n), *image_of_negatives])
    if y.all():  # patches as large as the image: there are no negatives
        zeros = np.zeros(x.shape[1] + 1, np.float32)
        return Detector(zeros, zeros[None], {})
    folds = min(config.folds, n)
    fold = rng.permutation(np.arange(n) % folds)
    weights = [_linear_svm(x, y, config.C)]
    for f in range(folds if folds > 1 else 0):
        rest = fold[image_of] != f
        weights.append(_linear_svm(x[rest], y[rest], config.C))
    fold_of = {int(i): int(f) for i, f in zip(images, fold, strict=True)} if folds > 1 else {}
    return Detector(weights[0], np.stack(weights[1:] or weights), fold_of)


def _linear_svm(x: NDArray[np.float32], y: NDArray[np.bool_], C: float) -> NDArray[np.float32]:
    """Weights and bias of a linear SVM with squared hinge loss, as in LIBLINEAR, ``(d + 1,)``."""
    if y.all():
        return np.zeros(x.shape[1] + 1, np.float32)
    svm = LinearSVC(C=C, dual=False, tol=_TOL).fit(x, y)
    return np.append(svm.coef_[0], svm.intercept_).astype(np.float32)
