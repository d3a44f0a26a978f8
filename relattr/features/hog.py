"""Dense 31-d Felzenszwalb HOG: cells centred on arbitrary pixels, and descriptors of several neighbouring cells.

Felzenszwalb, Girshick, McAllester, Ramanan, "Object Detection with Discriminatively Trained Part-Based
Models", PAMI 2010, section 6, evaluated at every pixel as in the features of Khosla et al. (NIPS 2012).

**One cell.** The gradient of a pixel is the central difference ``[-1, 0, 1]`` of the channel in which it is longest
(the first of several), on values 0..255. It is quantised to the nearest of 18 directions, 20 degrees apart. The
histogram of the cell centred on pixel ``(y, x)`` sums, for each direction, the gradient lengths weighted by
``(1 - |dy| / cell) * (1 - |dx| / cell)``. This is full bilinear voting: a pixel votes for the four nearest cells of
the 8 px lattice, and the dense map is that lattice at all of its 64 offsets. The energy of a cell is the sum over the
9 orientations of the squared sum of opposite directions. A cell belongs to four blocks of 2x2 cells (neighbours at a
distance of ``cell`` px: towards bottom right, top right, bottom left, top left); each block normalises by
``1 / sqrt(sum of its four energies + 1e-4)``. The 31 values, clipped at 0.2 after normalisation, are 18 directions and
9 orientations, each half of the sum over the four blocks, and for each block the sum of its 18 clipped directions
x 0.2357.

**The map.** A histogram extends ``cell - 1`` px from its centre, the gradient one pixel more, and the blocks need
histograms at a distance of ``cell``: a cell can be centred on pixels ``2 * cell`` to ``side - 2 * cell - 1`` without
truncation. The map is therefore ``4 * cell`` px smaller than the (padded) image in both directions, and its element
``(i, j)`` is the cell centred on pixel ``(i + 2 cell, j + 2 cell)``.

**Descriptors.** A descriptor concatenates ``cells x cells`` cells of the map, ``cell`` px apart, in column-major order,
its top left cell at map position ``(step * i, step * j)``. With the padding in use (20 px for 2x2 cells of 8 px, 24
for 3x3), descriptor ``(i, j)`` is centred on pixel ``(step i, step j)`` of the image, for every such pixel.

Only the histograms that the requested descriptors need are computed. The arithmetic is float32 (directions are
decided by exact integers), on one thread, and the result for an image does not depend on the rest of the batch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput
from relattr.features.hog_grid import Grid, make_grid
from relattr.system.compiled import njit

CELL_CHANNELS = 31

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# Unit vectors of the 9 orientations, to four decimals as in the original, times 10,000: with 8-bit images every dot
# product is an integer below 2**24, so float32 is exact and no direction depends on rounding.
_UX = np.array([10000, 9397, 7660, 5000, 1736, -1736, -5000, -7660, -9397], dtype=np.float32)
_UY = np.array([0, 3420, 6428, 8660, 9848, 9848, 8660, 6428, 3420], dtype=np.float32)
# The 18 directions of a histogram are stored in 24 floats, three full vector registers; the last 6 stay 0.
_SLOTS = 24


def dense_hog(images: npt.ArrayLike, cell: int = 8, stride: int = 1, pad: int = 0) -> Floats:
    """Compute the HOG map of one image or of a batch of images of equal size.

    Parameters
    ----------
    images : uint8, (H, W, 3) or (B, H, W, 3)
        Pixel values 0..255.
    cell : int
        Side length of a cell in px, at least 2.
    stride : int
        1 for a cell at every pixel; ``cell`` for the classic grid of adjacent cells.
    pad : int
        Mirror padding (edge pixels repeated) added on each side first, in px.

    Returns float32 ``([B,] ceil((H + 2 pad - 4 cell) / stride), ceil((W + ...) / stride), 31)``, from 0 to
    0.4 (directions and orientations) or 0.85 (texture).

    Raises `BadInput` if the array is not such an image, or is too small for one cell.
    """
    batch, single = _as_batch(images)
    grid = make_grid(batch.shape[1], batch.shape[2], cell, 1, stride, pad)
    out = _compute(batch, grid, cell, 1)
    out = out.reshape(len(batch), *grid.shape, CELL_CHANNELS)
    return out[0] if single else out


def stacked_hog(
    images: npt.ArrayLike, cell: int = 8, cells: int = 2, step: int = 6, pad: int = 20
) -> tuple[Floats, Floats]:
    """Compute descriptors of ``cells x cells`` neighbouring cells on a grid: HOG 2x2 (124-d), or 3x3 (279-d, pad 24).

    Parameters
    ----------
    images : uint8, (H, W, 3) or (B, H, W, 3)
        Pixel values 0..255.
    cell : int
        Side length of a cell in px, at least 2.
    cells : int
        Cells per side of a descriptor.
    step : int
        Stride between descriptors in px.
    pad : int
        Mirror padding (edge pixels repeated) added on each side first, in px.

    Returns
    -------
    descriptors: float32 ``([B,] n, 31 * cells**2)``, in row-major order.
    positions: float32 (n, 2), y and x of the centre of each descriptor in px, origin at the top left corner of the
        image (the centre of its first pixel is at 0.5, 0.5), the same for the whole batch.

    Raises `BadInput` if the array is not such an image, or is too small for one descriptor.
    """
    batch, single = _as_batch(images)
    grid = make_grid(batch.shape[1], batch.shape[2], cell, cells, step, pad)
    out = _compute(batch, grid, cell, cells)
    return (out[0] if single else out), grid.positions


def _as_batch(images: npt.ArrayLike) -> tuple[npt.NDArray[np.uint8], bool]:
    batch = np.asarray(images)
    if batch.dtype != np.uint8 or batch.ndim not in (3, 4) or batch.shape[-1] != 3:
        raise BadInput(
            f"HOG: expected uint8 images of shape (H, W, 3) or (B, H, W, 3), got {batch.dtype} {batch.shape}; "
            "repeat a greyscale image three times along the last axis"
        )
    return (batch[None], True) if batch.ndim == 3 else (batch, False)


def _compute(batch: npt.NDArray[np.uint8], grid: Grid, cell: int, cells: int) -> Floats:
    ny, nx = grid.shape
    out = np.empty((len(batch), ny, nx, cells, cells, CELL_CHANNELS), dtype=np.float32)
    kernel = _kernel(cell)
    for image, stacks in zip(batch, out, strict=True):
        kernel(
            np.ascontiguousarray(image),
            *(grid.source_rows, grid.source_cols, grid.rows, grid.cols, grid.row_index, grid.col_index, stacks),
        )
    return out.reshape(len(batch), ny * nx, cells * cells * CELL_CHANNELS)


@njit(nogil=True, fastmath={"contract"})
def _gradients(
    image: npt.NDArray[np.uint8],
    source_rows: Ints,
    source_cols: Ints,
    length: Floats,
    direction: npt.NDArray[np.int32],
    first: int,
    last: int,
) -> None:
    """Compute length and direction (0..17) of the gradient at padded rows first..last; the outermost columns stay 0."""
    width = len(source_cols)
    lines = np.empty((3, 3, width), dtype=np.float32)  # ring buffer of three rows, by channel
    gx = np.zeros(width, dtype=np.float32)
    gy = np.zeros(width, dtype=np.float32)
    for y in range(first - 1, last + 2):
        row = image[source_rows[y]]
        line = lines[y % 3]
        for x in range(width):
            pixel = row[source_cols[x]]
            line[0, x] = pixel[0]
            line[1, x] = pixel[1]
            line[2, x] = pixel[2]
        if y < first + 1:
            continue
        middle = lines[(y - 1) % 3]
        above = lines[(y - 2) % 3]
        lengths = length[y - 1]
        directions = direction[y - 1]
        for x in range(1, width - 1):
            dx = middle[0, x + 1] - middle[0, x - 1]
            dy = line[0, x] - above[0, x]
            square = dx * dx + dy * dy
            dx1 = middle[1, x + 1] - middle[1, x - 1]
            dy1 = line[1, x] - above[1, x]
            square1 = dx1 * dx1 + dy1 * dy1
            stronger = square1 > square
            dx = dx1 if stronger else dx
            dy = dy1 if stronger else dy
            square = square1 if stronger else square
            dx1 = middle[2, x + 1] - middle[2, x - 1]
            dy1 = line[2, x] - above[2, x]
            square1 = dx1 * dx1 + dy1 * dy1
            stronger = square1 > square
            gx[x] = dx1 if stronger else dx
            gy[x] = dy1 if stronger else dy
            lengths[x] = np.sqrt(square1 if stronger else square)
        for x in range(1, width - 1):
            longest = np.float32(0)
            code = np.int32(0)
            for o in range(9):
                dot = _UX[o] * gx[x] + _UY[o] * gy[x]
                signed = np.int32(o) if dot > np.float32(0) else np.int32(o + 9)
                code = signed if abs(dot) > longest else code
                longest = abs(dot) if abs(dot) > longest else longest
            directions[x] = code


@functools.cache
def _kernel(cell: int) -> Callable[..., None]:
    """Compile the kernel for this cell size: with a constant, the compiler unrolls and vectorises the loops."""
    taps = 2 * cell - 1
    inverse = np.float32(1.0 / cell)
    weights = np.array([cell - abs(d) for d in range(1 - cell, cell)], dtype=np.float32) * inverse
    half, clip, texture, epsilon = np.float32(0.5), np.float32(0.2), np.float32(0.2357), np.float32(1e-4)
    one = np.float32(1)

    @njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
    def kernel(
        image: npt.NDArray[np.uint8],
        source_rows: Ints,
        source_cols: Ints,
        rows: Ints,
        cols: Ints,
        row_index: Ints,
        col_index: Ints,
        out: Floats,
    ) -> None:
        height, width = len(source_rows), len(source_cols)
        length = np.zeros((height, width), dtype=np.float32)
        direction = np.zeros((height, width), dtype=np.int32)
        _gradients(image, source_rows, source_cols, length, direction, rows[0] - cell + 1, rows[-1] + cell - 1)

        # Histograms: sum the votes of each column by direction, then filter along the row.
        histogram = np.empty((len(rows), len(cols), _SLOTS), dtype=np.float32)
        energy = np.empty((len(rows), len(cols)), dtype=np.float32)
        column = np.empty((width, _SLOTS), dtype=np.float32)
        left, right = cols[0] - cell + 1, cols[-1] + cell
        for i in range(len(rows)):
            column[left:right] = np.float32(0)
            for d in range(taps):
                y = rows[i] - cell + 1 + d
                weight = weights[d]
                for x in range(left, right):
                    column[x, direction[y, x]] += weight * length[y, x]
            for j in range(len(cols)):
                start = cols[j] - cell + 1
                window = column[start : start + taps]
                votes = histogram[i, j]
                for o in range(_SLOTS):
                    total = np.float32(0)
                    for d in range(taps):
                        total += weights[d] * window[d, o]
                    votes[o] = total
                power = np.float32(0)
                for o in range(9):
                    both = votes[o] + votes[o + 9]
                    power += both * both
                energy[i, j] = power

        ny, nx, cells = out.shape[0], out.shape[1], out.shape[2]
        for i in range(ny):
            for a in range(cells):
                up, y, down = row_index[i, a]
                for j in range(nx):
                    for b in range(cells):
                        back, x, ahead = col_index[j, b]
                        centre = energy[y, x]
                        n1 = one / np.sqrt(centre + energy[down, x] + energy[y, ahead] + energy[down, ahead] + epsilon)
                        n2 = one / np.sqrt(centre + energy[up, x] + energy[y, ahead] + energy[up, ahead] + epsilon)
                        n3 = one / np.sqrt(centre + energy[down, x] + energy[y, back] + energy[down, back] + epsilon)
                        n4 = one / np.sqrt(centre + energy[up, x] + energy[y, back] + energy[up, back] + epsilon)
                        cell_histogram = histogram[y, x]
                        cell_out = out[i, j, b, a]  # cells in column-major order
                        t1 = np.float32(0)
                        t2 = np.float32(0)
                        t3 = np.float32(0)
                        t4 = np.float32(0)
                        for o in range(18):
                            value = cell_histogram[o]
                            h1 = value * n1 if value * n1 < clip else clip
                            h2 = value * n2 if value * n2 < clip else clip
                            h3 = value * n3 if value * n3 < clip else clip
                            h4 = value * n4 if value * n4 < clip else clip
                            cell_out[o] = half * ((h1 + h2) + (h3 + h4))
                            t1 += h1
                            t2 += h2
                            t3 += h3
                            t4 += h4
                        for o in range(9):
                            value = cell_histogram[o] + cell_histogram[o + 9]
                            h1 = value * n1 if value * n1 < clip else clip
                            h2 = value * n2 if value * n2 < clip else clip
                            h3 = value * n3 if value * n3 < clip else clip
                            h4 = value * n4 if value * n4 < clip else clip
                            cell_out[18 + o] = half * ((h1 + h2) + (h3 + h4))
                        cell_out[27] = texture * t1
                        cell_out[28] = texture * t2
                        cell_out[29] = texture * t3
                        cell_out[30] = texture * t4

    compiled: Any = kernel
    return compiled
