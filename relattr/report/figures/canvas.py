"""How figures made of images are written: the same rows give the same file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.system.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

INK = "#22262e"
BOXES = ("#ffb000", "#3ddbd9", "#ff6f91")
"""Colours of the boxes at full, half and quarter scale."""


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many inches. Raises `BadInput`, saying what to install, without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput("figures need matplotlib: pip install 'relattr[report]'") from error
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the suffix of ``path`` names, whole, and without the time of day."""
    kind = path.suffix.lstrip(".")
    dates: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind, {})
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=150, metadata=dates)


def spread(strengths: NDArray[Any], k: int) -> NDArray[Any]:
    """The ``k`` images, least first, that stand at equal steps of rank between the least and the most."""
    import numpy as np

    known = np.flatnonzero(np.isfinite(strengths))
    order = known[np.argsort(strengths[known], kind="stable")]
    return order[np.unique(np.linspace(0, len(order) - 1, min(k, len(order))).round().astype(int))]
