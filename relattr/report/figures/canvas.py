"""Matplotlib figures that are written reproducibly: the same content gives the same file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.system.atomic import atomic_replace

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

TEXT_COLOUR = "#22262e"
BOX_COLOURS = ("#ffb000", "#3ddbd9", "#ff6f91")
"""Colours of the boxes at full, half and quarter scale."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches. Raises `BadInput` if matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput("figures need matplotlib: pip install 'relattr[report]'") from error
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure atomically and without a time stamp, in the format of the suffix of ``path``."""
    suffix = path.suffix.lstrip(".")
    metadata: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(suffix, {})
    with atomic_replace(path) as temporary:
        figure.savefig(temporary, format=suffix, dpi=150, metadata=metadata)


def evenly_ranked(strengths: NDArray[Any], k: int) -> NDArray[Any]:
    """Return the indices of ``k`` images at equal steps of rank, from the weakest to the strongest."""
    import numpy as np

    known = np.flatnonzero(np.isfinite(strengths))
    order = known[np.argsort(strengths[known], kind="stable")]
    return order[np.unique(np.linspace(0, len(order) - 1, min(k, len(order))).round().astype(int))]
