"""Figure 5 of Dubey & Agarwal (MM 2017): nearest training images, after training and in the pretrained backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from relattr.errors import BadInput
from relattr.report.figures.canvas import TEXT_COLOUR, evenly_ranked, new_figure, save_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.images import Images

N_QUERIES = 4
MAX_NEIGHBOURS = 5
"""Neighbours shown on each side of a query."""


@dataclass(frozen=True, eq=False)
class TestQueries:
    """Test images as queries: their images, values to rank and label them by, and their nearest training images.

    ``values`` has one number for each image; ``trained`` and ``initial`` ``(n, k)`` are indices into the training
    images.
    """

    __test__: ClassVar[bool] = False  # keeps pytest from collecting it as a test class

    images: Images
    values: NDArray[Any]
    trained: NDArray[Any]
    initial: NDArray[Any]


def draw_neighbours(
    images: Images,
    artifacts: Mapping[str, NDArray[Any]],
    path: Path,
    title: str,
    scores: NDArray[Any] | None = None,
    queries: TestQueries | None = None,
) -> None:
    """Draw query images over the range of strengths with their nearest neighbours in two networks.

    The queries are training images, or those in ``queries``.

    ``artifacts`` has ``neighbours`` (trained network) and ``neighbours before`` (pretrained backbone) ``(n, k)``,
    indices into the training images, nearest first; and ``strengths`` ``(n,)``. The number above an image is its
    score if ``scores`` ``(n,)`` are given, else its strength. The suffix of ``path`` is the format. Raises `BadInput`
    if an index is out of range.
    """
    values = artifacts["strengths"] if scores is None else scores
    if queries is None:
        queries = TestQueries(images, values, artifacts["neighbours"], artifacts["neighbours before"])
    trained, initial = queries.trained, queries.initial
    for neighbours in (trained, initial):
        if neighbours.shape[0] != len(queries.images) or (
            neighbours.size and not 0 <= neighbours.min() <= neighbours.max() < len(images)
        ):
            raise BadInput(
                f"neighbours {neighbours.shape} do not fit {len(queries.images)} queries and {len(images)} training "
                "images"
            )
    k = min(MAX_NEIGHBOURS, trained.shape[1], initial.shape[1])
    shown = evenly_ranked(queries.values, N_QUERIES)
    width, height = 1.05 * (2 * k + 1) + 0.9, 1.25 * len(shown) + 0.8
    figure = new_figure(width, height)
    figure.suptitle(title, fontsize=10, color=TEXT_COLOUR, x=0.01, ha="left")
    ratios = [1.0] * k + [0.35, 1.0, 0.35] + [1.0] * k
    grid = figure.add_gridspec(
        len(shown),
        len(ratios),
        width_ratios=ratios,
        left=0.01,
        right=0.99,
        bottom=0.01,
        top=1 - 0.78 / height,
        wspace=0.06,
        hspace=0.28,
    )
    for x, text, alignment in (
        (0.01, "nearest in the trained network", "left"),
        (0.5, "query", "center"),
        (0.99, "nearest in the pretrained backbone", "right"),
    ):
        figure.text(x, 1 - 0.42 / height, text, fontsize=8, color=TEXT_COLOUR, ha=alignment)
    for row, query in enumerate(shown):
        places: Sequence[tuple[int, int]] = [
            *enumerate(int(i) for i in trained[query, :k][::-1]),  # the nearest is next to the query
            (k + 1, int(query)),
            *((k + 3 + j, int(i)) for j, i in enumerate(initial[query, :k])),
        ]
        for column, index in places:
            axes = figure.add_subplot(grid[row, column])
            is_query = column == k + 1
            axes.imshow((queries.images if is_query else images)[index], aspect="auto")
            axes.set_axis_off()
            axes.set_title(
                f"{(queries.values if is_query else values)[index]:.2f}", fontsize=7, color=TEXT_COLOUR, pad=2
            )
    save_figure(figure, path)


def mean_rank_distance(neighbours: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the mean difference in rank between images and their neighbours, as a fraction of the largest difference.

    ``neighbours`` ``(n, k)`` are indices, ``values`` ``(n,)`` are ranked. 0 for equal ranks, 1/3 for random images.
    """
    n = len(values)
    rank = np.empty(n)
    rank[np.argsort(values, kind="stable")] = np.arange(n)
    return float(np.abs(rank[:, None] - rank[neighbours]).mean() / max(1, n - 1))
