"""What a source of patch features is, and how their features are made shorter.

A source reads images once and then describes any boxes on them, so that features of all patches never need to
be in memory together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from relattr.images import Images

WHOLE_IMAGE = np.array([[0.0, 0.0, 1.0, 1.0]])
"""The whole image as a box."""

MAX_SAMPLE = 10_000
"""Most patches that `PatchPCA` is learned from."""


class PatchDescriptor(Protocol):
    """Features of patches."""

    dim: int
    """Numbers a patch."""

    def read(self, images: Images, advance: Callable[[int], object]) -> Any:
        """What `describe` needs of these images; calls ``advance`` with the number of images just read."""

    def describe(self, held: Any, which: NDArray[np.integer[Any]], boxes: NDArray[Any]) -> NDArray[np.float32]:
        """Features ``(m, k, dim)`` of length 1 (0 for a patch without content) of patches on some images.

        ``which`` ``(m,)`` are positions among the images read; ``boxes`` are ``(k, 4)``, the same on each, or
        ``(m, k, 4)``. What an image gives does not depend on the others.
        """


def l2_normalise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled in place to length 1; rows of zeros stay."""
    length = np.sqrt(np.einsum("...d,...d->...", rows, rows))
    rows /= np.where(length > 0, length, 1)[..., None]
    return rows


class PatchPCA:
    """The principal components of patch features: shorter ones at nearly the same distances.

    ``basis`` is ``(dim, d)`` float32. Features are not centred first: that would change no distance.
    """

    def __init__(self, basis: NDArray[np.float32]) -> None:
        self.basis = basis

    @classmethod
    def learn(
        cls,
        source: PatchDescriptor,
        held: Any,
        n_images: int,
        boxes: NDArray[Any],
        d: int,
        rng: np.random.Generator,
    ) -> PatchPCA:
        """``d`` components (all, where the features have no more) of random patches of the images read."""
        if source.dim <= d:
            return cls(np.eye(source.dim, dtype=np.float32))
        per_image = min(len(boxes), max(1, -(-MAX_SAMPLE // n_images)))
        images = rng.permutation(n_images)[: MAX_SAMPLE // per_image]
        sample = np.empty((images.size, per_image, source.dim), np.float32)
        for i, rows in zip(images, sample, strict=True):
            rows[:] = source.describe(held, np.array([i]), boxes[rng.choice(len(boxes), per_image, replace=False)])[0]
        flat = sample.reshape(-1, source.dim)
        pca = PCA(min(d, len(flat)), svd_solver="randomized", random_state=int(rng.integers(2**31)))
        return cls(np.ascontiguousarray(pca.fit(flat).components_.T, dtype=np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features ``(m, k, dim)`` to ``(m, k, d)``, image by image, so that its company changes no number."""
        out = np.empty((*features.shape[:-1], self.basis.shape[1]), np.float32)
        for image, short in zip(features, out, strict=True):
            np.matmul(image, self.basis, out=short)
        return out
