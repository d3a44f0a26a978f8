"""Figures of models and results, on matplotlib axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput, UnknownName
from relattr.interface.evaluation import Evaluation
from relattr.interface.model import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from relattr.images.loading import ImagesLike
    from relattr.pairs import Pairs

RIGHT_COLOUR, WRONG_COLOUR, CHOICE_COLOUR = "#2b8a3e", "#c92a2a", "#1c7ed6"
_SIDE = 1.6
"""Inches of the side of an image."""


def plot_accuracy(
    results: Evaluation | Iterable[Evaluation] | pd.DataFrame, *, column: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw accuracies in per cent with their confidence intervals, one line each.

    Parameters
    ----------
    results : Evaluation, sequence of Evaluation, or DataFrame
        What `relattr.evaluate` or `relattr.table` has returned; of a table, the rows with a measured number.
    column : str, optional
        The column to draw, for a table that has several.
    ax : matplotlib axes, optional
        Where to draw; by default in a new figure.

    Returns the axes. Raises `BadInput` if there is nothing to draw.

    Examples
    --------
    >>> import relattr
    >>> task = relattr.load_dataset("glyphs", n_train=30, n_test=20).task("global")
    >>> evaluation = relattr.evaluate(relattr.load_method("chance").fit(task.train), task)
    >>> plot_accuracy(evaluation).get_xlabel()
    'accuracy, %'
    """
    import numpy as np

    if isinstance(results, Evaluation):
        results = [results]
    lines = _table_lines(results, column) if hasattr(results, "columns") else _evaluation_lines(results)
    if not lines:
        raise BadInput("there is no accuracy to draw")
    ax = _new_axes(6.0, 0.9 + 0.32 * len(lines)) if ax is None else ax
    y = np.arange(len(lines))
    value, lower, upper = np.array([numbers for _, *numbers in lines], dtype=float).T
    known = np.isfinite(lower) & np.isfinite(upper)
    ax.hlines(y[known], lower[known], upper[known], color=CHOICE_COLOUR, alpha=0.6)
    ax.plot(value, y, "o", color=CHOICE_COLOUR)
    ax.axvline(50, color="grey", linestyle=":", linewidth=1)  # chance
    ax.set_yticks(y, [label for label, *_ in lines])
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xlabel("accuracy, %")
    return ax


def plot_ranking(model: Model, images: ImagesLike, *, n: int = 8) -> NDArray[Any]:
    """Draw some images from the least of the attribute on the left to the most on the right.

    ``images`` as in `Model.strength`. At most ``n`` are drawn, at equal steps of rank, each with its strength above it.
    Returns the axes, one for each image. Raises `BadInput` if there is no image, or as `Model.strength`.
    """
    from relattr.images.loading import load_images
    from relattr.report.figures.canvas import evenly_ranked

    opened = load_images(images, keep_decoded=False)
    strengths = model.strength(opened)
    shown = evenly_ranked(strengths, _positive(n))
    axes = _image_axes(1, len(shown))[0]
    for ax, index in zip(axes, shown, strict=True):
        ax.imshow(opened[int(index)])
        ax.set_title(f"{strengths[index]:.3g}", fontsize=9)
    return axes


def plot_pairs(model: Model, images: ImagesLike, pairs: Pairs | ArrayLike, *, n: int = 5) -> NDArray[Any]:
    """Draw pairs of images, and frame the image of each that has more of the attribute according to the model.

    The frame is green where the label of the pair says the same, red where it says the opposite, and blue for similar
    pairs and pairs without labels. ``images`` and ``pairs`` as in `Model.compare`; the first ``n`` pairs are drawn.
    Returns the axes ``(n, 2)``. Raises `BadInput` if there is no pair, or as `Model.compare`.
    """
    import numpy as np

    from relattr.images.loading import load_images
    from relattr.interface.given_pairs import as_pairs

    if isinstance(images, Iterator):
        images = list(images)  # they are needed twice
    opened = load_images(images, keep_decoded=False)
    every = as_pairs(pairs, opened, images)
    shown = every.take(np.arange(min(_positive(n), len(every))))
    margins = model.compare(opened, shown)
    axes = _image_axes(len(shown), 2)
    for row, left, right, label, margin in zip(axes, *shown.arrays, margins, strict=True):
        for ax, index in zip(row, (left, right), strict=True):
            ax.imshow(opened[int(index)])
        colour = CHOICE_COLOUR if label == 0 else RIGHT_COLOUR if margin * label > 0 else WRONG_COLOUR
        if margin != 0:
            for spine in row[0 if margin > 0 else 1].spines.values():
                spine.set(color=colour, linewidth=4)
        row[0].set_title(f"margin {margin:+.3g}", fontsize=9)
    return axes


def plot_boxes(model: Model, images: ImagesLike, *, n: int = 8) -> NDArray[Any]:
    """Draw where a fitted model attends: images with their boxes, least of the attribute on the left.

    ``images`` as in `Model.strength`; at most ``n`` are drawn. Returns the axes, one for each image. Raises `BadInput`
    for a model without boxes; networks with spatial transformers have some.
    """
    from matplotlib.patches import Rectangle

    from relattr.images.loading import load_images
    from relattr.mixins import InspectionMixin
    from relattr.report.figures.canvas import BOX_COLOURS, evenly_ranked

    opened = load_images(images, keep_decoded=False)
    strengths = model.strength(opened)
    boxes = model.method.boxes(opened) if isinstance(model.method, InspectionMixin) else None
    if boxes is None:
        raise BadInput(f"{model.name} has no boxes: it does not attend to parts of an image")
    shown = evenly_ranked(strengths, _positive(n))
    axes = _image_axes(1, len(shown))[0]
    for ax, index in zip(axes, shown, strict=True):
        image = opened[int(index)]
        height, width = image.shape[:2]
        ax.imshow(image)
        for k, (x0, y0, x1, y1) in enumerate(boxes[index] * (width, height, width, height)):
            colour = BOX_COLOURS[k % len(BOX_COLOURS)]
            ax.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=2))
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
        ax.set_title(f"{strengths[index]:.3g}", fontsize=9)
    return axes


def _evaluation_lines(evaluations: Iterable[Evaluation]) -> list[tuple[str, float, float, float]]:
    """The label of each evaluation, its accuracy and the ends of its interval in per cent; NaN without interval."""
    evaluations = list(evaluations)
    places = {(e.dataset, e.attribute, e.split, e.test) for e in evaluations}
    lines = []
    for e in evaluations:
        place = "/".join(part for part in (e.dataset, e.attribute) if part) or e.test
        lower, upper = e.interval or (float("nan"), float("nan"))
        label = e.method if len(places) == 1 else f"{e.method} on {place}"
        lines.append((label, 100 * e.accuracy, 100 * lower, 100 * upper))
    return lines


def _table_lines(table: Any, column: str | None) -> list[tuple[str, float, float, float]]:
    """The same for the measured numbers of a table of `relattr.table`."""
    for name in ("table", "row", "column", "measured", "lower", "upper"):
        if name not in table.columns:
            raise BadInput(f"the DataFrame has no column {name!r}; expected one of relattr.table(benchmark)")
    measured = table[table["measured"].notna()]
    if column is None:
        measured = measured[measured["table"] == measured["table"].iloc[0]] if len(measured) else measured
        columns = list(measured["column"].unique())
        if len(columns) > 1:
            raise BadInput(f"the table has {len(columns)} columns; name one: column={', '.join(map(repr, columns))}")
    elif column not in set(table["column"]):
        raise UnknownName("column of the table", column, table["column"].unique())
    else:
        measured = measured[measured["column"] == column]
    return [
        (str(row["row"]), float(row["measured"]), float(row["lower"]), float(row["upper"]))
        for _, row in measured.iterrows()
    ]


def _positive(n: int) -> int:
    if n < 1:
        raise BadInput(f"n is {n}; expected at least 1")
    return n


def _new_axes(width: float, height: float) -> Axes:
    return _pyplot().subplots(figsize=(width, height), layout="constrained")[1]


def _image_axes(rows: int, columns: int) -> NDArray[Any]:
    """Axes for images in a new figure, ``(rows, columns)``. Raises `BadInput` if there is none."""
    if not rows or not columns:
        raise BadInput("there is nothing to draw")
    size = (_SIDE * columns, (_SIDE + 0.2) * rows)
    axes = _pyplot().subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")[1]
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    return axes


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as pyplot
    except ImportError as error:
        raise BadInput("figures need matplotlib: pip install 'relattr[report]'") from error
    return pyplot
