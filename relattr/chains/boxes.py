"""Intersection over union and transformations of boxes x0, y0, x1, y1, in units of the image's sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def box_iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every box of ``a`` ``(n, 4)`` with every box of ``b`` ``(m, 4)``: ``(n, m)``."""
    first, second = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)[None, :]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = sides.clip(min=0.0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared)


def transform_boxes(boxes: NDArray[Any], transforms: ArrayLike) -> NDArray[np.float64]:
    """Shift and scale boxes ``(..., 4)`` relative to their size.

    ``transforms`` ``(..., 3)`` holds dx and dy, in widths and heights of the box, and the factor of both sides. A box
    that would extend beyond the image is moved back inside; none becomes larger than the image.
    """
    change = np.asarray(transforms, np.float64)
    lower, upper = boxes[..., :2].astype(np.float64), boxes[..., 2:].astype(np.float64)
    size = upper - lower
    centre = (lower + upper) / 2 + change[..., :2] * size
    half = np.minimum(size * change[..., 2:], 1.0) / 2
    centre = centre.clip(half, 1.0 - half)
    return np.concatenate([centre - half, centre + half], axis=-1).clip(0.0, 1.0)


def random_transforms(n: int, shift: float, scales: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random arguments ``(n, 3)`` of `transform_boxes`: shifts uniform in +-``shift``, all scales equally likely."""
    return np.column_stack([rng.uniform(-shift, shift, (n, 2)), rng.choice(np.asarray(scales, np.float64), n)])
