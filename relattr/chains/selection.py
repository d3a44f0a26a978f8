"""Which chains to keep: those whose patches put pairs of unseen images right."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from relattr.pairs import Pairs
from relattr.ranksvm import fit_many
from relattr.ranksvm.accuracy import count_correct
from relattr.ranksvm.search import split_by_image

Parts = list[tuple[Pairs, Pairs]]
_ROUGH = 1e-3  # the gap at which a fit stops: which pairs it orders is settled long before


def split_into_folds(pairs: Pairs, folds: int, seed: int, least: int = 30) -> Parts:
    """(pairs to learn from, pairs to judge by) of each fold, with no image in both.

    Where the pairs cannot be parted so that ``least`` ordered ones are judged, a warning says so, and chains are
    judged by the pairs that they learn from.
    """
    parts = split_by_image(pairs, folds, seed, least)
    if not parts:
        warnings.warn(
            f"{pairs!r} cannot be parted by image so that {least} ordered pairs are held out and some are left; "
            "chains are chosen by the pairs that they learn from",
            UserWarning,
            stacklevel=2,
        )
        return [(pairs, pairs)]
    return parts


def held_out_accuracy(x: NDArray[Any], parts: Parts, C: float) -> float:
    """Correct by ordered held-out pairs, over all parts, of RankSVMs on a chain's features ``(n, d)``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = fit_many(x, [(train, C) for train, _ in parts], tol=_ROUGH)
    counts = [count_correct(model.predict(x), held_out) for model, (_, held_out) in zip(fits, parts, strict=True)]
    correct, ordered = np.sum(counts, axis=0)
    return float(correct / ordered)


def most_accurate(accuracies: NDArray[Any], most: int) -> NDArray[np.int64]:
    """The chains of highest accuracy, best first; of equal ones the earlier."""
    return np.argsort(-accuracies, kind="stable")[:most]
