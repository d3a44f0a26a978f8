"""Spearman's rank correlation of strengths with scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput


def spearman(strengths: NDArray[np.floating[Any]], scores: NDArray[Any]) -> float | None:
    """The correlation of the ranks of two rows of numbers ``(n,)``, in [-1, 1]; equal ones share their mean rank.

    None where it is not defined: fewer than two images, or one of the rows is all the same number. Raises
    `BadInput` for shapes that differ and for NaN.
    """
    x, y = np.asarray(strengths, np.float64), np.asarray(scores, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise BadInput(f"strengths {x.shape} and scores {y.shape} must be two rows of equal length")
    if np.isnan(x).any() or np.isnan(y).any():
        raise BadInput("strengths or scores hold NaN, which has no rank")
    a, b = (mean_ranks(values) - (values.size + 1) / 2 for values in (x, y))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1.0, 1.0)) if scale else None


def mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each number ``(n,)``, 1 the smallest; equal ones share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return last[which]
