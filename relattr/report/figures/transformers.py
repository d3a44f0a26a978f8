"""Figure 4 of Dubey & Agarwal (MM 2017): what the transformers look at, over the range of strengths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relattr.errors import BadInput
from relattr.report.figures.canvas import BOXES, INK, evenly_ranked, new_figure, save_figure

if TYPE_CHECKING:
    from relattr.harness.arrays import CellArrays
    from relattr.images import Images

SHOWN = 8


def draw_transformers(images: Images, arrays: CellArrays, test: str, path: Path, title: str) -> None:
    """Write a grid: images of a test set, least on the left, with their boxes; below each what lies in them.

    ``arrays`` holds ``strengths[test]`` ``(n,)`` and ``boxes[test]`` ``(n, scales, 4)``: x0, y0, x1, y1, the image
    being [0, 1]. What a box shows beyond the image is grey. Raises `BadInput` where they do not fit ``images``.
    """
    from matplotlib.patches import Rectangle

    strengths, boxes = arrays.strengths[test], arrays.boxes[test]
    if strengths.shape != (len(images),) or boxes.ndim != 3 or boxes.shape[::2] != (len(images), 4):
        raise BadInput(
            f"strengths and boxes have shapes {strengths.shape} and {boxes.shape}; expected ({len(images)},) and "
            f"({len(images)}, scales, 4)"
        )
    chosen = evenly_ranked(strengths, SHOWN)
    scales = boxes.shape[1]
    figure = new_figure(1.15 * len(chosen) + 0.6, 1.15 * (scales + 1) + 0.75)
    figure.suptitle(title, fontsize=10, color=INK, x=0.02, ha="left")
    grid = figure.add_gridspec(
        scales + 1,
        len(chosen),
        left=0.6 / (1.15 * len(chosen) + 0.6),
        right=0.995,
        bottom=0.01,
        top=1 - 0.65 / (1.15 * (scales + 1) + 0.75),
        wspace=0.05,
        hspace=0.05,
    )
    for column, index in enumerate(chosen):
        image = images[int(index)]
        height, width = image.shape[:2]
        for row in range(scales + 1):
            axes = figure.add_subplot(grid[row, column])
            axes.set_facecolor("#8a8f98")
            axes.imshow(image, aspect="auto")
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                name = "image" if row == 0 else f"crop {row}" if scales > 1 else "crop"
                axes.set_ylabel(name, fontsize=8, color=INK)
            if row == 0:
                axes.set_title(f"{strengths[index]:.2f}", fontsize=8, color=INK)
                for k, (x0, y0, x1, y1) in enumerate(boxes[index] * (width, height, width, height)):
                    axes.add_patch(
                        Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=BOXES[k % 3], lw=1.5)
                    )
                axes.set_xlim(-0.5, width - 0.5)
                axes.set_ylim(height - 0.5, -0.5)
            else:  # the same picture, looked at through the box
                x0, y0, x1, y1 = boxes[index, row - 1] * (width, height, width, height)
                axes.set_xlim(x0 - 0.5, x1 - 0.5)
                axes.set_ylim(y1 - 0.5, y0 - 0.5)
                for side in axes.spines.values():
                    side.set_color(BOXES[(row - 1) % 3])
                    side.set_linewidth(1.5)
    save_figure(figure, path)
