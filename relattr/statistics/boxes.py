"""Localisation accuracy of boxes, for generated images in which the position of every cue is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class BoxScores(NamedTuple):
    """Means over all cues of all images: ``centre``, the share of cues that contain the centre of a box; ``iou``, the
    largest intersection over union (Jaccard's index) of a box with the cue, in [0, 1].
    """

    centre: float
    iou: float


def score_boxes(boxes: NDArray[Any], cues: NDArray[Any]) -> BoxScores:
    """Compare the boxes ``(n, k, 4)`` of n images with their cues ``(n, m, 4)``; x0, y0, x1, y1 in a common unit."""
    a, b = boxes[:, :, None, :].astype(np.float64), cues[:, None, :, :].astype(np.float64)
    centres = (a[..., :2] + a[..., 2:]) / 2
    within = (b[..., :2] <= centres) & (centres <= b[..., 2:])
    inside = within[..., 0] & within[..., 1]
    overlap = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(-1)
    union = _area(a) + _area(b) - overlap
    iou = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return BoxScores(float(inside.any(1).mean()), float(iou.max(1).mean()))


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(-1)
