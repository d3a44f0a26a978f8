"""The patches of visual chains, weakest image to strongest, as Xiao & Lee (ICCV 2015) show them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.report.figures.canvas import BOXES, INK, new_figure, save_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.images import Images

BOX = BOXES[0]
_CELL = 1.0  # inches a side of a picture


def draw_chains(images: Images, artifacts: Mapping[str, NDArray[Any]], path: Path, title: str = "") -> None:
    """Write a figure with, for each chain, its images with their box and below them the patches themselves.

    ``artifacts`` holds ``chain images`` ``(k, m)``, indices into ``images``, weakest first; ``chain boxes``
    ``(k, m, 4)``, x0, y0, x1, y1 in [0, 1]; and ``chain accuracy`` ``(k,)`` in [0, 1]. The suffix of ``path`` is
    the format: ``.pdf``, ``.png``, ``.svg``. Raises `BadInput` for arrays that do not fit these or ``images``.
    """
    from matplotlib.patches import Rectangle

    which, boxes, accuracy = _checked(images, artifacts)
    k, m = which.shape
    figure = new_figure(_CELL * (m + 0.2), _CELL * (2.35 * k + (0.45 if title else 0.15)))
    top = 1 - (0.4 if title else 0.05) / (2.35 * k + (0.45 if title else 0.15))
    grid = figure.add_gridspec(k, 1, left=0.01, right=0.99, top=top, bottom=0.01, hspace=0.0)
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left", y=0.995, va="top")
    for row in range(k):
        rows = grid[row].subgridspec(3, m, height_ratios=[0.3, 1, 1], wspace=0.04, hspace=0.04)
        words = figure.add_subplot(rows[0, :])
        words.set_axis_off()
        words.text(
            0.0,
            0.25,
            f"chain {row + 1}: orders {100 * accuracy[row]:.1f} % of held-out pairs; least on the left, "
            "most on the right",
            fontsize=8,
            color=INK,
            va="center",
        )
        for column in range(m):
            image = images[int(which[row, column])]
            height, width = image.shape[:2]
            x0, y0, x1, y1 = boxes[row, column] * (width, height, width, height)
            for strip in (1, 2):
                axes = figure.add_subplot(rows[strip, column])
                axes.imshow(image, aspect="auto")
                axes.set_axis_off()
                if strip == 1:
                    axes.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=BOX, lw=1.4))
                else:  # the same picture, looked at through the box
                    axes.set_xlim(x0 - 0.5, x1 - 0.5)
                    axes.set_ylim(y1 - 0.5, y0 - 0.5)
    save_figure(figure, path)


def _checked(images: Images, artifacts: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    missing = [name for name in ("chain images", "chain boxes", "chain accuracy") if name not in artifacts]
    if missing:
        raise BadInput(f"a figure of chains needs the artifact {missing[0]!r}; got {sorted(artifacts) or 'none'}")
    which, boxes, accuracy = (artifacts[name] for name in ("chain images", "chain boxes", "chain accuracy"))
    if which.ndim != 2 or not which.size or boxes.shape != (*which.shape, 4) or accuracy.shape != which.shape[:1]:
        raise BadInput(
            f"artifacts of chains have shapes {which.shape}, {boxes.shape}, {accuracy.shape}; expected (k, m), "
            "(k, m, 4), (k,) of at least one chain"
        )
    if which.dtype.kind not in "iu" or which.min() < 0 or which.max() >= len(images):
        raise BadInput(
            f"a chain names image {which.min()} to {which.max()}; expected integers from 0 to {len(images) - 1}"
        )
    low, high = boxes[..., :2], boxes[..., 2:]
    if not ((low >= 0).all() and (high <= 1).all() and (low < high).all()):
        raise BadInput("a box of a chain is not x0 < x1, y0 < y1 in [0, 1]")
    return which, boxes, accuracy
