"""The candidate patches of an image: a grid at several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput


def candidate_boxes(sides: Sequence[float], stride: float, max_candidates: int) -> NDArray[np.float64]:
    """Boxes ``(n, 4)`` of squares with these sides, in units of the image's side, at most ``stride`` apart.

    The squares of each size are spaced evenly from edge to edge. If there are more than ``max_candidates`` in all, the
    stride is increased until there are not. Raises `BadInput` for invalid arguments, or if no grid is small enough.
    """
    if not sides or min(sides) <= 0 or max(sides) > 1:
        raise BadInput(f"sides of patches must be in (0, 1], the side of the image being 1; got {list(sides)}")
    if not 0 < stride <= 1:
        raise BadInput(f"the stride of patches must be in (0, 1], the side of the image being 1; got {stride}")
    while True:
        counts = [1 + math.ceil((1 - side) / stride - 1e-9) for side in sides]
        n = sum(k * k for k in counts)
        if n <= max_candidates:
            break
        if stride > 1:
            raise BadInput(
                f"{len(sides)} sizes of patches need at least {n} candidates; at most {max_candidates} are allowed"
            )
        stride *= 1.02
    boxes = []
    for side, k in zip(sides, counts, strict=True):
        at = np.linspace(0.0, 1.0 - side, k)
        y, x = (grid.ravel() for grid in np.meshgrid(at, at, indexing="ij"))
        boxes.append(np.column_stack([x, y, x + side, y + side]))
    return np.concatenate(boxes).clip(0.0, 1.0)
