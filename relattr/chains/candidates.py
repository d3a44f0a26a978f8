"""The candidate patches of an image: a grid of squares at several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.images import Images


def candidate_boxes(
    sides: Sequence[float], size: tuple[float, float], stride: float, max_candidates: int
) -> NDArray[np.float64]:
    """Boxes ``(n, 4)``, in units of the image's sides, of square patches of these sides.

    ``sides`` and ``size``, the width and height of the image, are in the same unit, such as px. Patches are at most
    ``stride`` times their side apart, and spaced evenly from edge to edge. If there are more than ``max_candidates`` in
    all, the stride is increased until there are not. A patch larger than the image is cut to it. Raises `BadInput` for
    invalid arguments, or if no grid is small enough.
    """
    if not sides or min(sides) <= 0:
        raise BadInput(f"sides of patches must be one or more numbers above 0; got {list(sides)}")
    if not 0 < stride <= 1:
        raise BadInput(f"the stride of patches must be in (0, 1], the side of the patch being 1; got {stride}")
    if min(size) <= 0:
        raise BadInput(f"the size of an image must be above 0; got {size[0]:g} x {size[1]:g}")
    shapes = [(min(side / size[0], 1.0), min(side / size[1], 1.0)) for side in dict.fromkeys(map(float, sides))]
    while True:
        counts = [[1 + math.ceil((1 - side) / (stride * side) - 1e-9) for side in shape] for shape in shapes]
        n = sum(across * down for across, down in counts)
        if n <= max_candidates:
            break
        if stride * min(min(shape) for shape in shapes) > 1:
            raise BadInput(
                f"{len(shapes)} sizes of patches need at least {n} candidates; at most {max_candidates} are allowed"
            )
        stride *= 1.02
    boxes = []
    for (width, height), (across, down) in zip(shapes, counts, strict=True):
        y, x = np.meshgrid(np.linspace(0.0, 1.0 - height, down), np.linspace(0.0, 1.0 - width, across), indexing="ij")
        left, top = x.ravel(), y.ravel()
        boxes.append(np.column_stack([left, top, left + width, top + height]))
    return np.concatenate(boxes).clip(0.0, 1.0)


def median_size(images: Images, most: int = 64) -> tuple[float, float]:
    """The median width and height in px of at most ``most`` evenly spaced images."""
    n = len(images)
    shapes = np.array([images[int(i)].shape[:2] for i in np.unique(np.arange(min(most, n)) * n // min(most, n))])
    height, width = np.median(shapes, axis=0)
    return float(width), float(height)
