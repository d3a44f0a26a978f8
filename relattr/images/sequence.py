"""What feature extractors take images from: anything indexable that gives uint8 arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class ImageSequence(Protocol):
    """A sequence of uint8 arrays ``(height, width, 3)`` of any sizes, such as `relattr.images.Images` or a list.

    The hand-crafted features also accept greyscale arrays, ``(height, width)``.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pixels: ...
