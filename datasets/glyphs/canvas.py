"""A canvas for antialiased polygons: drawn at four times the resolution, then averaged.

Every shape is a polygon with corners rounded to the fine grid. Pillow has always filled polygons by the same exact
rule, so a picture is identical on every machine; its ellipses and line widths have changed over time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

FINE = 4
"""Fine pixels per pixel, in each direction."""


class Canvas:
    """A square picture of ``size`` pixels; coordinates are in units of its side, x right, y down, in [0, 1].

    The background is a vertical gradient from colour ``top`` to colour ``bottom``.
    """

    def __init__(self, size: int, top: Colour, bottom: Colour) -> None:
        self._side = size * FINE
        ramp = np.linspace(0.0, 1.0, self._side)[:, None]
        column = (1.0 - ramp) * np.array(top, np.float64) + ramp * np.array(bottom, np.float64)
        ground = Image.fromarray(np.round(column).astype(np.uint8)[:, None, :])
        self._picture = ground.resize((self._side, self._side), Image.Resampling.NEAREST)
        self._pen = ImageDraw.Draw(self._picture)
        self._mixing_pen = ImageDraw.Draw(self._picture, "RGBA")

    def fill(self, outline: NDArray[np.float64], colour: Colour, opacity: float = 1.0) -> None:
        """Fill the polygon with corners ``outline`` ``(n, 2)``; ``opacity`` in [0, 1] blends it with the canvas."""
        corners = np.floor(outline * self._side + 0.5).astype(np.int64).ravel().tolist()
        if opacity < 1.0:
            self._mixing_pen.polygon(corners, fill=(*colour, round(255 * opacity)))
        else:
            self._pen.polygon(corners, fill=colour)

    def finish(self, rng: np.random.Generator, grain: float) -> NDArray[np.uint8]:
        """Return the picture ``(size, size, 3)`` uint8, with grey noise of standard deviation ``grain`` (0 to 255)."""
        pixels = np.array(self._picture.reduce(FINE), dtype=np.float32)
        pixels += grain * rng.standard_normal(pixels.shape[:2], dtype=np.float32)[:, :, None]
        return np.clip(np.rint(pixels, out=pixels), 0, 255, out=pixels).astype(np.uint8)
