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
    """

    C: float = 0.1
    negatives: int = 200
    max_negatives: int = 5000
    max_overlap: float = 0.3


@dataclass(frozen=True, eq=False)
class Detector:
    """A trained detector: ``weights`` ``(d + 1,)``, the bias last."""

    weights: NDArray[np.float32]

    def responses(self, patches: Patches, images: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """The decision values of all patches of these images, ``(len(images), n_patches)``."""
        w = self.weights
        rows = [patches[i].astype(np.float32) @ w[:-1] + w[-1] for i in images]
        return np.stack(rows) if rows else np.empty((0, patches.shape[1]), np.float32)


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
    negatives = []
    for i, p in zip(images, path, strict=True):
        eligible = np.flatnonzero(overlap[p] < config.max_overlap)
        sample = rng.choice(eligible, min(per_image, eligible.size), replace=False)
        negatives.append(patches[i, sample].astype(np.float32))
    x = np.concatenate([positives, *negatives])
    return Detector(_linear_svm(x, np.arange(len(x)) < n, config.C))


def _linear_svm(x: NDArray[np.float32], y: NDArray[np.bool_], C: float) -> NDArray[np.float32]:
    """Weights and bias of a linear SVM with squared hinge loss, as in LIBLINEAR, ``(d + 1,)``; 0 without negatives."""
    if y.all():  # patches as large as the image: there are no negatives
        return np.zeros(x.shape[1] + 1, np.float32)
    svm = LinearSVC(C=C, dual=False, tol=_TOL).fit(x, y)
    return np.append(svm.coef_[0], svm.intercept_).astype(np.float32)
