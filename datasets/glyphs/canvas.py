"""A canvas for antialiased polygons: drawn four times too large, then averaged down.

Everything is a polygon with corners rounded to the fine grid. Pillow fills polygons by one old, exact
rule, so a picture is the same wherever it is drawn; its ellipses and line widths have changed over time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

FINE = 4
"""Fine pixels per pixel and direction."""


class Canvas:
    """A square picture of ``size`` pixels, addressed in units of its side: x right, y down, in [0, 1].

    ``top`` and ``bottom`` are the colours between which its ground shades.
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
        """Fill the polygon with corners ``outline`` ``(n, 2)``; ``opacity`` in [0, 1] mixes with what is below."""
        corners = np.floor(outline * self._side + 0.5).astype(np.int64).ravel().tolist()
        if opacity < 1.0:
            self._mixing_pen.polygon(corners, fill=(*colour, round(255 * opacity)))
        else:
            self._pen.polygon(corners, fill=colour)

    def finish(self, rng: np.random.Generator, grain: float) -> NDArray[np.uint8]:
        """The picture, ``(size, size, 3)`` uint8, with grey noise of this standard deviation (levels of 255)."""
        pixels = np.array(self._picture.reduce(FINE), dtype=np.float32)
        pixels += grain * rng.standard_normal(pixels.shape[:2], dtype=np.float32)[:, :, None]
        return np.clip(np.rint(pixels, out=pixels), 0, 255, out=pixels).astype(np.uint8)
