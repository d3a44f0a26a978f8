"""Figure 4 of Dubey & Agarwal (MM 2017): where the spatial transformers attend, over the range of strengths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.report.figures.canvas import BOX_COLOURS, TEXT_COLOUR, evenly_ranked, new_figure, save_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.harness.arrays import CellArrays
    from relattr.images import Images

MAX_IMAGES = 8
OUTSIDE_COLOUR = "#8a8f98"
"""Colour of the part of a crop that is outside the image."""


def draw_transformers(
    images: Images, arrays: CellArrays, test: str, path: Path, title: str, scores: NDArray[Any] | None = None
) -> None:
    """Draw images of a test set with the boxes of their crops, least on the left, and below each image its crops.

    Images are ordered and labelled by ``scores`` ``(n,)``, the dataset's own metric, or by default by their strengths.

    ``arrays`` has ``strengths[test]`` ``(n,)`` and ``boxes[test]`` ``(n, scales, 4)``: x0, y0, x1, y1, where the image
    is [0, 1]. Raises `BadInput` if their shapes do not fit ``images``.
    """
    from matplotlib.patches import Rectangle

    strengths, boxes = arrays.strengths[test], arrays.boxes[test]
    if strengths.shape != (len(images),) or boxes.ndim != 3 or boxes.shape[::2] != (len(images), 4):
        raise BadInput(
            f"strengths and boxes have shapes {strengths.shape} and {boxes.shape}; expected ({len(images)},) and "
            f"({len(images)}, scales, 4)"
        )
    values = strengths if scores is None else scores
    shown = evenly_ranked(values, MAX_IMAGES)
    n_scales = boxes.shape[1]
    figure_width, figure_height = 1.15 * len(shown) + 0.6, 1.15 * (n_scales + 1) + 0.75
    figure = new_figure(figure_width, figure_height)
    figure.suptitle(title, fontsize=10, color=TEXT_COLOUR, x=0.02, ha="left")
    grid = figure.add_gridspec(
        n_scales + 1,
        len(shown),
        left=0.6 / figure_width,
        right=0.995,
        bottom=0.01,
        top=1 - 0.65 / figure_height,
        wspace=0.05,
        hspace=0.05,
    )
    for column, index in enumerate(shown):
        image = images[int(index)]
        height, width = image.shape[:2]
        for row in range(n_scales + 1):
            axes = figure.add_subplot(grid[row, column])
            axes.set_facecolor(OUTSIDE_COLOUR)
            axes.imshow(image, aspect="auto")
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                name = "image" if row == 0 else f"crop {row}" if n_scales > 1 else "crop"
                axes.set_ylabel(name, fontsize=8, color=TEXT_COLOUR)
            if row == 0:
                axes.set_title(f"{values[index]:.2f}", fontsize=8, color=TEXT_COLOUR)
                for k, (x0, y0, x1, y1) in enumerate(boxes[index] * (width, height, width, height)):
                    axes.add_patch(
                        Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=BOX_COLOURS[k % 3], lw=1.5)
                    )
                axes.set_xlim(-0.5, width - 0.5)
                axes.set_ylim(height - 0.5, -0.5)
            else:  # the same image, cropped to the box
                x0, y0, x1, y1 = boxes[index, row - 1] * (width, height, width, height)
                axes.set_xlim(x0 - 0.5, x1 - 0.5)
                axes.set_ylim(y1 - 0.5, y0 - 0.5)
                for spine in axes.spines.values():
                    spine.set_color(BOX_COLOURS[(row - 1) % 3])
                    spine.set_linewidth(1.5)
    save_figure(figure, path)
