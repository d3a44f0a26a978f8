"""Sampling grids of axis-aligned crops, as `torch.nn.functional.grid_sample` takes them.

`torch.nn.functional.affine_grid` multiplies every position by a matrix. The axes of these crops are independent: a
column of x and a row of y give the same grid in a tenth of the time.
"""

from __future__ import annotations

import torch


def crop_grid(scale: torch.Tensor, centre: torch.Tensor, size: int, *, align_corners: bool) -> torch.Tensor:
    """The positions ``scale * g + centre`` for each pixel of a crop, ``(n, size, size, 2)``: x, then y.

    ``scale`` and ``centre`` are ``(n, 2)``, for x and y. The positions ``g`` of the crop's pixels are those of
    `torch.nn.functional.affine_grid`: -1 and 1 are the centres of the outermost pixels with ``align_corners``, and
    their outer borders without.
    """
    g = torch.linspace(-1, 1, size, dtype=scale.dtype, device=scale.device)
    if not align_corners:
        g = g * ((size - 1) / size)
    x, y = (scale[:, axis, None] * g + centre[:, axis, None] for axis in (0, 1))
    return torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], 3)
