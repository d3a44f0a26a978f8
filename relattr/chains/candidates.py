"""The patches of an image that a chain may choose from: a grid at several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput


def candidate_boxes(sides: Sequence[float], stride: float, most: int) -> NDArray[np.float64]:
    """Boxes ``(n, 4)`` of squares with these sides, in [0, 1], at most ``stride`` apart and at most ``most``.

    The squares of each size are spread evenly from edge to edge. Where ``stride`` gives more than ``most``,
    the next wider ones are tried. Raises `BadInput` where no grid fits.
    """
    if not sides or min(sides) <= 0 or max(sides) > 1:
        raise BadInput(f"sides of patches must be in (0, 1], the side of the image being 1; got {list(sides)}")
    if not 0 < stride <= 1:
        raise BadInput(f"the stride of patches must be in (0, 1], the side of the image being 1; got {stride}")
    while True:
        counts = [1 + math.ceil((1 - side) / stride - 1e-9) for side in sides]
        n = sum(k * k for k in counts)
        if n <= most:
            break
        if stride > 1:
            raise BadInput(f"{len(sides)} sizes of patches need at least {n} candidates; at most {most} are allowed")
        stride *= 1.02
    boxes = []
    for side, k in zip(sides, counts, strict=True):
        at = np.linspace(0.0, 1.0 - side, k)
        y, x = (grid.ravel() for grid in np.meshgrid(at, at, indexing="ij"))
        boxes.append(np.column_stack([x, y, x + side, y + side]))
    return np.concatenate(boxes).clip(0.0, 1.0)
