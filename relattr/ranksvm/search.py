"""The choice of C on training pairs held out by image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.ranksvm import checks
from relattr.ranksvm.accuracy import count_correct, pairwise_accuracy
from relattr.ranksvm.estimator import RankSVM, fit_many

GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
_FALLBACK = 0.1  # Parikh & Grauman's
_ROUGH = 1e-3  # the gap at which a fit of a fold stops: which pairs it orders is settled long before


class RankSVMCV(BaseEstimator):
    """`RankSVM` whose C is chosen on training pairs held out by image, then fitted on all of them.

    The images are parted into folds. A fold's fits see the pairs of which neither image is in it, and are
    judged by the ordered pairs of which both are, so that no image is on both sides; a pair with one image
    in it is left out there. Where the pairs fall into small islands that share no image (each image in one
    pair, say), whole islands are held out and no pair is lost. Correct and ordered pairs are added up over
    the folds; the best accuracy wins, of equal ones the smallest C.

    Pairs too few or too entangled for that (a fold without an ordered pair to learn from, fewer than
    ``min_pairs`` judged) are tried with fewer folds, down to 2; if that fails too, a warning says so and
    C = 0.1, the paper's, is used.

    Parameters
    ----------
    Cs : values to choose from; default 1e-4 ... 1e3 by tens.
    folds : >= 2. seed : decides which images are in which fold. min_pairs : see above.
    C_similar, loss, tol, max_newton, max_cg : as in `RankSVM`.

    Attributes
    ----------
    C_ : the chosen C. Cs_ : the values tried, ascending.
    accuracies_ : ``(n_Cs,)`` held-out accuracy of each of Cs_ (NaN where none could be had).
    fold_accuracies_ : ``(n_folds_, n_Cs)``. n_folds_ : folds used. n_validation_pairs_ : ordered pairs judged.
    ranksvm_ : the `RankSVM` fitted on all pairs; coef_ is its. n_features_in_ : d.
    """

    C_: float
    Cs_: NDArray[np.float64]
    accuracies_: NDArray[np.float64]
    fold_accuracies_: NDArray[np.float64]
    n_folds_: int
    n_validation_pairs_: int
    ranksvm_: RankSVM
    coef_: NDArray[np.float64]
    n_features_in_: int

    def __init__(
        self,
        Cs: Sequence[float] = GRID,
        *,
        folds: int = 5,
        seed: int = 0,
        min_pairs: int = 30,
        C_similar: float | None = None,
        loss: Literal["squared_hinge", "logistic"] = "squared_hinge",
        tol: float = 1e-6,
        max_newton: int = 100,
        max_cg: int = 250,
    ) -> None:
        self.Cs = Cs
        self.folds = folds
        self.seed = seed
        self.min_pairs = min_pairs
        self.C_similar = C_similar
        self.loss = loss
        self.tol = tol
        self.max_newton = max_newton
        self.max_cg = max_cg

    def fit(self, X: ArrayLike, pairs: Pairs) -> RankSVMCV:
        """Choose C and fit on features ``X`` ``(n, d)`` and pairs of its rows; raises as `RankSVM.fit`."""
        grid = np.unique([checks.check_positive("each of Cs", C) for C in self.Cs])
        if grid.size == 0:
            raise BadInput("Cs is empty; expected at least one C above 0")
        if isinstance(self.folds, bool) or not isinstance(self.folds, (int, np.integer)) or self.folds < 2:
            raise BadInput(f"folds is {self.folds!r}; expected an integer of at least 2")
        shared: dict[str, Any] = {
            "C_similar": self.C_similar,
            "loss": self.loss,
            "max_newton": self.max_newton,
            "max_cg": self.max_cg,
        }
        self.Cs_ = grid
        x = checks.check_features(X)
        checks.check_parameters(C=grid[0], tol=self.tol, **shared)
        checks.check_pairs(pairs, x.shape[0])

        parts = split_by_image(pairs, self.folds, self.seed, self.min_pairs)
        self.n_folds_ = len(parts)
        self.n_validation_pairs_ = sum(held_out.n_ordered for _, held_out in parts)
        if parts and grid.size > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                tol = max(self.tol, _ROUGH)
                fits = fit_many(x, [(train, C) for train, _ in parts for C in grid.tolist()], tol=tol, **shared)
            counts = np.empty((len(parts), grid.size, 2))
            for k, model in enumerate(fits):
                fold, c = divmod(k, grid.size)
                counts[fold, c] = count_correct(model.predict(x), parts[fold][1])
            self.fold_accuracies_ = counts[..., 0] / counts[..., 1]
            self.accuracies_ = counts[..., 0].sum(0) / counts[..., 1].sum(0)
            self.C_ = float(grid[int(self.accuracies_.argmax())])
        else:
            self.fold_accuracies_ = np.full((len(parts), grid.size), np.nan)
            self.accuracies_ = np.full(grid.size, np.nan)
            self.C_ = float(grid[0]) if grid.size == 1 else _FALLBACK
            if grid.size > 1:
                warnings.warn(
                    f"C could not be chosen: {pairs!r} cannot be parted by image so that {self.min_pairs} ordered "
                    f"pairs are held out and some are left; C = {_FALLBACK:g} is used",
                    UserWarning,
                    stacklevel=2,
                )
        self.ranksvm_ = RankSVM(self.C_, tol=self.tol, **shared).fit(x, pairs)
        self.coef_, self.n_features_in_ = self.ranksvm_.coef_, self.ranksvm_.n_features_in_
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """The strengths ``X w`` ``(n,)``, larger = more of the attribute."""
        check_is_fitted(self)
        return self.ranksvm_.predict(X)

    def score(self, X: ArrayLike, pairs: Pairs) -> float:
        """Accuracy: correctly ordered pairs by ordered pairs; a tie is an error, similar pairs do not count."""
        return pairwise_accuracy(self.predict(X), pairs)


def split_by_image(pairs: Pairs, folds: int, seed: int, min_pairs: int) -> list[tuple[Pairs, Pairs]]:
    """(training pairs, held-out pairs) of each fold, with no image in both; empty where it cannot be done.

    As many folds as possible, at most ``folds``, such that each has an ordered pair on either side and
    the held-out ones are ``min_pairs`` ordered ones in all.
    """
    used = checks.check_pairs(pairs)
    images = np.flatnonzero(used)
    island = _islands(pairs, images)
    for k in range(min(folds, images.size // 2), 1, -1):
        rng = generator(seed, "folds", k)
        n_islands = int(island.max()) + 1
        size = np.bincount(island)
        if size.max() * k <= images.size * 1.5:
            of_island = np.empty(n_islands, np.int64)
            filled = np.zeros(k)
            # the larger first, so that the folds end up even; among equals a seeded order
            for i in sorted(rng.permutation(n_islands).tolist(), key=lambda i: -size[i]):
                of_island[i] = filled.argmin()
                filled[of_island[i]] += size[i]
            fold_of = of_island[island]
        else:
            fold_of = np.empty(images.size, np.int64)
            fold_of[rng.permutation(images.size)] = np.arange(images.size) % k
        parts = [(pairs.among(images[fold_of != f]), pairs.among(images[fold_of == f])) for f in range(k)]
        if all(a.n_ordered and b.n_ordered for a, b in parts) and sum(b.n_ordered for _, b in parts) >= min_pairs:
            return parts
    return []


def _islands(pairs: Pairs, images: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """For each of the images the number of its connected component under the pairs."""
    if pairs.order is not None:
        return np.zeros(images.size, np.int64)
    left, right = (np.searchsorted(images, side) for side in (pairs.left, pairs.right))
    edges = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(images.size, images.size))
    return connected_components(edges, directed=False)[1].astype(np.int64)
