"""Arithmetic of boxes: x0, y0, x1, y1, the sides of the image being 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def box_iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every box of ``a`` ``(n, 4)`` with every one of ``b`` ``(m, 4)``: ``(n, m)``."""
    one, other = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)[None, :]
    across = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    both = across.clip(min=0.0).prod(-1)
    return both / ((one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1) - both)


def transform_boxes(boxes: NDArray[Any], by: ArrayLike) -> NDArray[np.float64]:
    """Boxes ``(..., 4)`` shifted and scaled, each by its own size.

    ``by`` ``(..., 3)`` holds dx and dy, in widths and heights of the box, and the factor of both sides. A box
    that would reach over the edge of the image is pushed back inside; none grows larger than the image.
    """
    change = np.asarray(by, np.float64)
    low, high = boxes[..., :2].astype(np.float64), boxes[..., 2:].astype(np.float64)
    size = high - low
    middle = (low + high) / 2 + change[..., :2] * size
    half = np.minimum(size * change[..., 2:], 1.0) / 2
    middle = middle.clip(half, 1.0 - half)
    return np.concatenate([middle - half, middle + half], axis=-1).clip(0.0, 1.0)


def random_transforms(n: int, shift: float, scales: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(n, 3)`` changes for `transform_boxes`: shifts uniform in +-``shift`` of the box, each scale equally likely."""
    return np.column_stack([rng.uniform(-shift, shift, (n, 2)), rng.choice(np.asarray(scales, np.float64), n)])
