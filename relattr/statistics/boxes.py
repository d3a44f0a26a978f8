"""How well boxes find what they should: on drawn scenes, where the place of every cue is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Found(NamedTuple):
    """Means over all cues of all images: ``centre``, the share in which the middle of some box lies; ``iou``, the
    best intersection over union of any box with it, in [0, 1].
    """

    centre: float
    iou: float


def found(boxes: NDArray[Any], cues: NDArray[Any]) -> Found:
    """How well the boxes of each image ``(n, k, 4)`` find its cues ``(n, m, 4)``; x0, y0, x1, y1, in any one unit."""
    a, b = boxes[:, :, None, :].astype(np.float64), cues[:, None, :, :].astype(np.float64)
    middle = (a[..., :2] + a[..., 2:]) / 2
    within = (b[..., :2] <= middle) & (middle <= b[..., 2:])
    inside = within[..., 0] & within[..., 1]
    overlap = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(-1)
    union = _area(a) + _area(b) - overlap
    iou = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return Found(float(inside.any(1).mean()), float(iou.max(1).mean()))


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(-1)
