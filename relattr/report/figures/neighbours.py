"""Figure 5 of Dubey & Agarwal (MM 2017): nearest training images, in the network and in the backbone it began as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relattr.errors import BadInput
from relattr.report.figures.canvas import INK, evenly_ranked, new_figure, save_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.images import Images

QUERIES, SHOWN = 4, 5


def draw_neighbours(
    images: Images, artifacts: Mapping[str, NDArray[Any]], path: Path, title: str, scores: NDArray[Any] | None = None
) -> None:
    """Write a grid: training images over the range of strengths, and the nearest others of each, twice.

    ``artifacts`` holds ``neighbours`` and ``neighbours before`` ``(n, k)``, indices into ``images``, and
    ``strengths`` ``(n,)``. Over each image stands its score where there are ``scores``, else its strength.
    Raises `BadInput` for an index that is no image.
    """
    both = [artifacts["neighbours"], artifacts["neighbours before"]]
    strengths = artifacts["strengths"]
    for near in both:
        if near.shape[0] != len(images) or (near.size and not 0 <= near.min() <= near.max() < len(images)):
            raise BadInput(f"neighbours {near.shape} do not fit {len(images)} training images")
    shown = min(SHOWN, *(near.shape[1] for near in both))
    values = strengths if scores is None else scores
    queries = evenly_ranked(values, QUERIES)
    wide, high = 1.05 * (2 * shown + 1) + 0.9, 1.25 * len(queries) + 0.8
    figure = new_figure(wide, high)
    figure.suptitle(title, fontsize=10, color=INK, x=0.01, ha="left")
    widths = [1.0] * shown + [0.35, 1.0, 0.35] + [1.0] * shown
    grid = figure.add_gridspec(
        len(queries),
        len(widths),
        width_ratios=widths,
        left=0.01,
        right=0.99,
        bottom=0.01,
        top=1 - 0.78 / high,
        wspace=0.06,
        hspace=0.28,
    )
    figure.text(0.01, 1 - 0.42 / high, "nearest in the trained network", fontsize=8, color=INK)
    figure.text(0.5, 1 - 0.42 / high, "image", fontsize=8, color=INK, ha="center")
    figure.text(0.99, 1 - 0.42 / high, "nearest in its backbone before", fontsize=8, color=INK, ha="right")
    for row, query in enumerate(queries):
        left = both[0][query, :shown][::-1]  # the nearest stands next to the image
        places: Sequence[tuple[int, int]] = [
            *enumerate(int(i) for i in left),
            (shown + 1, int(query)),
            *((shown + 3 + k, int(i)) for k, i in enumerate(both[1][query, :shown])),
        ]
        for column, index in places:
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(images[index], aspect="auto")
            axes.set_axis_off()
            axes.set_title(f"{values[index]:.2f}", fontsize=7, color=INK, pad=2)
    save_figure(figure, path)


def mean_rank_distance(near: NDArray[Any], values: NDArray[Any]) -> float:
    """How alike neighbours are: the mean difference in rank of an image and its neighbours, 0 to 1; 1/3 for any two."""
    n = len(values)
    rank = np.empty(n)
    rank[np.argsort(values, kind="stable")] = np.arange(n)
    return float(np.abs(rank[:, None] - rank[near]).mean() / max(1, n - 1))
