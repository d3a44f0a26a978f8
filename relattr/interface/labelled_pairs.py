"""Labelled pairs of images as users have them: a DataFrame, or rows of two images and a label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from relattr.errors import BadInput, shortened
from relattr.interface.given_pairs import as_pairs

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from relattr.images.loading import ImagesLike
    from relattr.pairs import Pairs

COLUMNS = ("left", "right", "label")
LABELS = {"left": 1, "1": 1, "+1": 1, "right": -1, "-1": -1, "similar": 0, "0": 0}
EXPECTED_LABEL = "expected 1 or 'left' (the left image has more), -1 or 'right' (the right one), 0 or 'similar'"
EXPECTED_ROWS = "expected a DataFrame with the columns left, right and label, or rows (left, right, label)"

_checked: WeakValueDictionary[int, NDArray[np.int8]] = WeakValueDictionary()
"""The labels of all pairs of `load_pairs`, by their identity: 0 means similar there."""


def load_pairs(images: ImagesLike, comparisons: pd.DataFrame | Iterable[Sequence[Any]]) -> Pairs:
    """Labelled pairs of images that are given by their names, paths or indices, for a training or test set.

    Parameters
    ----------
    images : Images, folder, or sequence of paths, Pillow images or arrays
        The images, as for `load_images`; the pairs have their indices.
    comparisons : DataFrame, or iterable of rows
        The columns ``left`` and ``right`` are names, paths or indices of images, ``label`` is 1 or ``left`` (the left
        image has more of the attribute), -1 or ``right``, 0 or ``similar``; other columns are ignored. Or rows
        ``(left, right, label)``.

    Raises `UnknownName` for an image that is not there, and `BadInput` for anything else than comparisons, for another
    label, for labels that are only 1 and 0, or only -1 and 0, because 0 may stand for the other image (``similar`` does
    not), and for a column ``attribute`` with several attributes.

    Examples
    --------
    >>> import numpy as np
    >>> images = [np.full((8, 8, 3), grey, np.uint8) for grey in (0, 90, 180)]
    >>> load_pairs(images, [(1, 0, "left"), (0, 2, "right")])
    Pairs(2 pairs, 0 similar)
    """
    import numpy as np

    from relattr.images.loading import load_images
    from relattr.pairs import Pairs

    rows = _rows(comparisons)
    given = list(images) if isinstance(images, Iterator) else images
    unlabelled = as_pairs([(left, right) for left, right, _ in rows], load_images(given, keep_decoded=False), given)
    texts = [_label_text(value, number) for number, (_, _, value) in enumerate(rows, 1)]
    labels = np.array([LABELS[text] for text in texts], np.int8)
    problem = zero_as_other(labels, n_zero=texts.count("0"))
    if problem:
        raise BadInput(problem)
    pairs = Pairs(unlabelled.left, unlabelled.right, labels)
    _checked[id(pairs.label)] = pairs.label
    return pairs


def doubtful_zeros(pairs: Pairs) -> str | None:
    """Why 0 may stand for the other image in pairs of a program; None for those of scores and of `load_pairs`."""
    if pairs.order is not None or _checked.get(id(pairs.label)) is pairs.label:
        return None
    return zero_as_other(pairs.label, pairs.n_similar)


def zero_as_other(labels: NDArray[np.int8], n_zero: int) -> str | None:
    """Why 0 may stand for the other image than 1 or -1, as in many programs: of the three labels, one is absent."""
    n_left, n_right = int((labels > 0).sum()), int((labels < 0).sum())
    if not n_zero or (n_left == 0) == (n_right == 0):
        return None
    label, absent, side, formula = (1, -1, "right", "2 * label - 1") if n_left else (-1, 1, "left", "2 * label + 1")
    return (
        f"the labels are {label} ({_counted(n_left + n_right)}) and 0 ({_counted(n_zero)}), and none is {absent}. "
        f"0 means similar: if it should mean that the {side} image has more, use {formula}; if the images are "
        "similar, give relattr.load_pairs the label 'similar' in place of 0"
    )


def _counted(n_pairs: int) -> str:
    return "1 pair" if n_pairs == 1 else f"{n_pairs:,} pairs"


def _rows(comparisons: Any) -> list[tuple[Any, Any, Any]]:
    if hasattr(comparisons, "columns"):
        return _rows_of_frame(comparisons)
    if isinstance(comparisons, (str, bytes)) or not isinstance(comparisons, Iterable):
        raise BadInput(f"comparisons are {shortened(repr(comparisons))}; {EXPECTED_ROWS}")
    rows = [
        tuple(row) if isinstance(row, Iterable) and not isinstance(row, (str, bytes)) else row for row in comparisons
    ]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, tuple) or len(row) != 3:
            raise BadInput(f"comparison {number} is {shortened(repr(row))}; {EXPECTED_ROWS}")
    return rows


def _rows_of_frame(frame: pd.DataFrame) -> list[tuple[Any, Any, Any]]:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise BadInput(
            f"the DataFrame of comparisons has no column {missing[0]}; its columns are "
            f"{shortened(', '.join(map(str, frame.columns)))}; {EXPECTED_ROWS}. Scores, a number for each image, make "
            "pairs with relattr.Pairs.from_scores(scores)"
        )
    if "attribute" in frame.columns:
        attributes = list(dict.fromkeys(frame["attribute"]))
        if len(attributes) > 1:
            raise BadInput(
                f"the DataFrame of comparisons has {len(attributes)} attributes; choose one: "
                f"frame[frame.attribute == {attributes[0]!r}]"
            )
    return list(zip(*(frame[name].tolist() for name in COLUMNS), strict=True))


def _label_text(value: Any, number: int) -> str:
    """The label as one of `LABELS`. True and False are none: False may stand for the other image."""
    import numpy as np

    text = ""
    if isinstance(value, str):
        text = value.strip().casefold()
    elif isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value in (-1, 0, 1):
        text = str(int(value))
    if text not in LABELS:
        raise BadInput(f"the label of comparison {number} is {shortened(repr(value))}; {EXPECTED_LABEL}")
    return text
