"""The selection of chains by how well their patches rank held-out images."""

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

Folds = list[tuple[Pairs, Pairs]]
_COARSE_TOL = 1e-3  # duality gap of the fits: the order of most pairs is settled long before


def split_into_folds(pairs: Pairs, folds: int, seed: int, min_pairs: int = 30) -> Folds:
    """(training pairs, held-out pairs) of each fold, with no image in both.

    If the pairs cannot be split so that at least ``min_pairs`` ordered ones are held out, a warning is issued, and the
    training pairs are also the held-out ones.
    """
    splits = split_by_image(pairs, folds, seed, min_pairs)
    if not splits:
        warnings.warn(
            f"{pairs!r} cannot be split by image so that {min_pairs} ordered pairs are held out and some are left; "
            "chains are selected on their training pairs",
            UserWarning,
            stacklevel=2,
        )
        return [(pairs, pairs)]
    return splits


def held_out_accuracy(x: NDArray[Any], folds: Folds, C: float) -> float:
    """The accuracy on held-out pairs, over all folds, of RankSVMs on a chain's features ``(n, d)``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = fit_many(x, [(train, C) for train, _ in folds], tol=_COARSE_TOL)
    counts = [count_correct(model.predict(x), held_out) for model, (_, held_out) in zip(fits, folds, strict=True)]
    correct, ordered = np.sum(counts, axis=0)
    return float(correct / ordered)


def most_accurate(accuracies: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The indices of the ``count`` highest accuracies, best first; of equal ones the earlier."""
    return np.argsort(-accuracies, kind="stable")[:count]
