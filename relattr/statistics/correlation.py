"""Spearman's rank correlation between strengths and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput


def spearman(strengths: NDArray[np.floating[Any]], scores: NDArray[Any]) -> float | None:
    """Return Spearman's rank correlation of two arrays ``(n,)``, in [-1, 1]; ties get their average rank.

    It is Pearson's correlation of the ranks (Spearman, American J. Psychology 1904), as `scipy.stats.spearmanr`.
    None if it is undefined: fewer than two images, or a constant array. Raises `BadInput` for different shapes and
    for NaN.
    """
    x, y = np.asarray(strengths, np.float64), np.asarray(scores, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise BadInput(f"strengths {x.shape} and scores {y.shape} must be one-dimensional and of equal length")
    if np.isnan(x).any() or np.isnan(y).any():
        raise BadInput("strengths or scores contain NaN, which has no rank")
    if x.size < 2 or (x == x[0]).all() or (y == y[0]).all():
        return None
    from scipy.stats import spearmanr

    return float(np.clip(spearmanr(x, y).statistic, -1.0, 1.0))
