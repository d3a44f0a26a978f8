"""Geometry of HOG cells and descriptors on an image (see ``hog``)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Positions of the descriptors for one image size, and the indices that the kernel needs."""

    source_rows: Ints  # (padded height,) the image row that each padded row repeats
    source_cols: Ints
    rows: Ints  # sorted padded rows at which histograms are computed
    cols: Ints
    row_index: Ints  # (ny, cells, 3) indices into rows: the cell above, the cell itself, the cell below
    col_index: Ints
    positions: Floats  # (ny * nx, 2) y, x of the centres of the descriptors in the image, 0 = its top or left edge

    @property
    def shape(self) -> tuple[int, int]:
        """Number of descriptors vertically and horizontally."""
        return len(self.row_index), len(self.col_index)


@functools.lru_cache(maxsize=64)
def make_grid(height: int, width: int, cell: int, cells: int, step: int, pad: int) -> Grid:
    """Compute the grid of descriptors for an image of this size. Raises `BadInput` if none fits."""
    for name, value, least in (("cell", cell, 2), ("cells", cells, 1), ("step", step, 1), ("pad", pad, 0)):
        if value < least:
            raise BadInput(f"HOG: {name} is {value}; it must be an integer of at least {least}")
    margin = 4 * cell + (cells - 1) * cell - 2 * pad
    if min(height, width) < max(1, margin + 1):
        raise BadInput(
            f"HOG: an image of {height} x {width} px is too small; {cells}x{cells} cells of {cell} px with {pad} px "
            f"of padding need at least {max(1, margin + 1)} px on each side"
        )
    rows, row_index, y = _axis(height, cell, cells, step, pad)
    cols, col_index, x = _axis(width, cell, cells, step, pad)
    positions = np.stack(np.broadcast_arrays(y[:, None], x[None, :]), axis=-1).reshape(-1, 2)
    arrays = (
        np.pad(np.arange(height), pad, mode="symmetric"),
        np.pad(np.arange(width), pad, mode="symmetric"),
        *(rows, cols, row_index, col_index),
        positions.astype(np.float32),
    )
    for array in arrays:
        array.flags.writeable = False  # the cached arrays are shared
    return Grid(*arrays)


def _axis(side: int, cell: int, cells: int, step: int, pad: int) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """Return, along one axis, the padded coordinates of histograms, their index by cell, and descriptor centres."""
    starts = np.arange(0, side + 2 * pad - 4 * cell - (cells - 1) * cell, step)
    centres = starts[:, None] + cell * np.arange(cells) + 2 * cell
    wanted: Ints = centres[:, :, None] + np.array([-cell, 0, cell])
    coordinates, index = np.unique(wanted, return_inverse=True)
    middle = (starts + 2 * cell + (cells - 1) * cell / 2 - pad + 0.5).astype(np.float64)
    return coordinates, index.reshape(wanted.shape).astype(np.int64), middle
