"""Visual chains: the patches of each chain from the weakest to the strongest image (Xiao & Lee, ICCV 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.report.figures.canvas import BOX_COLOURS, TEXT_COLOUR, new_figure, save_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.images import Images

BOX_COLOUR = BOX_COLOURS[0]
IMAGE_WIDTH = 1.0
"""Width of an image in the figure, in inches."""


def draw_chains(images: Images, artifacts: Mapping[str, NDArray[Any]], path: Path, title: str = "") -> None:
    """Draw for each chain its images with their boxes, and below them the patches alone.

    ``artifacts`` has ``chain images`` ``(k, m)``, indices into ``images``, weakest first; ``chain boxes``
    ``(k, m, 4)``, x0, y0, x1, y1 in [0, 1]; and ``chain accuracy`` ``(k,)`` in [0, 1]. The suffix of ``path`` is the
    format: ``.pdf``, ``.png`` or ``.svg``. Raises `BadInput` for arrays that do not have this form.
    """
    from matplotlib.patches import Rectangle

    indices, boxes, accuracy = _validate(images, artifacts)
    k, m = indices.shape
    inches = 2.35 * k + (0.45 if title else 0.15)
    figure = new_figure(IMAGE_WIDTH * (m + 0.2), IMAGE_WIDTH * inches)
    top = 1 - (0.4 if title else 0.05) / inches
    grid = figure.add_gridspec(k, 1, left=0.01, right=0.99, top=top, bottom=0.01, hspace=0.0)
    if title:
        figure.suptitle(title, fontsize=11, color=TEXT_COLOUR, x=0.01, ha="left", y=0.995, va="top")
    for row in range(k):
        cells = grid[row].subgridspec(3, m, height_ratios=[0.3, 1, 1], wspace=0.04, hspace=0.04)
        heading = figure.add_subplot(cells[0, :])
        heading.set_axis_off()
        text = f"chain {row + 1}: {100 * accuracy[row]:.1f} % accuracy on held-out pairs; least left, most right"
        heading.text(0.0, 0.25, text, fontsize=8, color=TEXT_COLOUR, va="center")
        for column in range(m):
            image = images[int(indices[row, column])]
            height, width = image.shape[:2]
            x0, y0, x1, y1 = boxes[row, column] * (width, height, width, height)
            for strip in (1, 2):
                axes = figure.add_subplot(cells[strip, column])
                axes.imshow(image, aspect="auto")
                axes.set_axis_off()
                if strip == 1:
                    axes.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=BOX_COLOUR, lw=1.4))
                else:  # the same image, cropped to the box
                    axes.set_xlim(x0 - 0.5, x1 - 0.5)
                    axes.set_ylim(y1 - 0.5, y0 - 0.5)
    save_figure(figure, path)


def _validate(images: Images, artifacts: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Image indices, boxes and accuracies of the chains. Raises `BadInput`."""
    names = ("chain images", "chain boxes", "chain accuracy")
    missing = [name for name in names if name not in artifacts]
    if missing:
        raise BadInput(f"a figure of chains needs the artifact {missing[0]!r}; got {sorted(artifacts) or 'none'}")
    indices, boxes, accuracy = (artifacts[name] for name in names)
    if (
        indices.ndim != 2
        or not indices.size
        or boxes.shape != (*indices.shape, 4)
        or accuracy.shape != indices.shape[:1]
    ):
        raise BadInput(
            f"artifacts of chains have shapes {indices.shape}, {boxes.shape}, {accuracy.shape}; expected (k, m), "
            "(k, m, 4), (k,) of at least one chain"
        )
    if indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= len(images):
        raise BadInput(
            f"a chain has image indices {indices.min()} to {indices.max()} of type {indices.dtype}; expected integers "
            f"from 0 to {len(images) - 1}"
        )
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    if not ((corner >= 0).all() and (opposite <= 1).all() and (corner < opposite).all()):
        raise BadInput("a box of a chain is invalid; expected x0 < x1 and y0 < y1, all in [0, 1]")
    return indices, boxes, accuracy
