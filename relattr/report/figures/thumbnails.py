"""Small copies of images that a page contains."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 160
"""Longer side of a thumbnail in pixels."""
QUALITY = 80


def thumbnail_uri(image: NDArray[np.integer[Any]], side: int = SIDE) -> str:
    """Return an image ``(height, width, 3)`` uint8 as a JPEG data URI; its longer side has at most ``side`` pixels."""
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(image, dtype=np.uint8))
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
