"""The interface of patch features, and their dimensionality reduction.

A descriptor reads images once and then describes any boxes on them, so that the features of all patches never have to
be in memory together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA

from relattr.images import Images

WHOLE_IMAGE = np.array([[0.0, 0.0, 1.0, 1.0]])
"""The whole image as a box, ``(1, 4)``."""

MAX_SAMPLE = 10_000
"""Largest number of patches that `PatchPCA` is fitted to."""


class PatchDescriptor(Protocol):
    """Computes features of patches."""

    dim: int
    """Features per patch."""

    def read(self, images: Images, advance: Callable[[int], object]) -> Any:
        """Read what `describe` needs of these images; ``advance`` is called with the number of images just read."""

    def describe(self, data: Any, indices: NDArray[np.integer[Any]], boxes: NDArray[Any]) -> NDArray[np.float32]:
        """Features ``(m, k, dim)`` of patches, of length 1 (0 for a patch without content).

        ``data`` comes from `read`; ``indices`` ``(m,)`` are positions among the images read; ``boxes`` are ``(k, 4)``,
        the same for all images, or ``(m, k, 4)``. The features of an image do not depend on the others.
        """


def crop_patches(image: NDArray[np.uint8], boxes: NDArray[Any], side: int) -> NDArray[np.uint8]:
    """The parts of an image ``(h, w, 3)`` in these boxes ``(k, 4)``, each resized to ``(side, side)``."""
    height, width = image.shape[:2]
    picture = Image.fromarray(np.ascontiguousarray(image))
    corners = (np.asarray(boxes, np.float64) * (width, height, width, height)).clip(0, (width, height, width, height))
    return np.stack(
        [
            np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, box=tuple(corner)))
            for corner in corners.tolist()
        ]
    )


def l2_normalise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows ``(..., d)`` in place to length 1; zero rows stay zero."""
    length = np.sqrt(np.einsum("...d,...d->...", rows, rows))
    rows /= np.where(length > 0, length, 1)[..., None]
    return rows


class PatchPCA:
    """Principal components of patch features, which nearly preserve their distances.

    ``basis`` is ``(dim, d)`` float32. Features are not centred before projection: distances do not depend on that.
    """

    def __init__(self, basis: NDArray[np.float32]) -> None:
        self.basis = basis

    @classmethod
    def fit(
        cls,
        descriptor: PatchDescriptor,
        data: Any,
        n_images: int,
        boxes: NDArray[Any],
        d: int,
        rng: np.random.Generator,
    ) -> PatchPCA:
        """Fit ``d`` components (the identity, if the features have no more) to random patches of the images read."""
        if descriptor.dim <= d:
            return cls(np.eye(descriptor.dim, dtype=np.float32))
        per_image = min(len(boxes), max(1, -(-MAX_SAMPLE // n_images)))
        images = rng.permutation(n_images)[: MAX_SAMPLE // per_image]
        sample = np.empty((images.size, per_image, descriptor.dim), np.float32)
        for i, rows in zip(images, sample, strict=True):
            rows[:] = descriptor.describe(data, np.array([i]), boxes[rng.choice(len(boxes), per_image, replace=False)])[
                0
            ]
        flat = sample.reshape(-1, descriptor.dim)
        pca = PCA(min(d, len(flat)), svd_solver="randomized", random_state=int(rng.integers(2**31)))
        return cls(np.ascontiguousarray(pca.fit(flat).components_.T, dtype=np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project ``(m, k, dim)`` to ``(m, k, d)``, image by image, so that the result does not depend on the batch."""
        projected = np.empty((*features.shape[:-1], self.basis.shape[1]), np.float32)
        for image, row in zip(features, projected, strict=True):
            np.matmul(image, self.basis, out=row)
        return projected
