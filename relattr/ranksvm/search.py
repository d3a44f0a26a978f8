"""Selection of C by cross-validation over training pairs, with folds of images."""

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
_FOLD_TOL = 1e-3  # tolerance of the fits on folds: their predicted orders do not change after that


class RankSVMCV(BaseEstimator):
    """`RankSVM` with C selected by cross-validation grouped by image, then refitted on all pairs.

    The images are split into folds. The models of a fold are trained on the pairs with no image in the fold and
    validated on the ordered pairs with both images in it, so that no image is in both sets; pairs with one image in the
    fold are not used. If the graph of pairs has only small connected components (for example if each image is in one
    pair), whole components are held out and every pair is used. Correct and ordered pairs are summed over the folds;
    the C with the highest accuracy is selected, the smallest of several.

    If that is impossible (a fold has no ordered training pair, or fewer than ``min_pairs`` validation pairs remain in
    total), fewer folds are tried, down to 2; if this fails too, C = 0.1 as in the paper is used, with a warning.

    Parameters
    ----------
    Cs : candidate values; default 1e-4 to 1e3 in powers of ten.
    folds : number of folds, >= 2. seed : determines the folds. min_pairs : see above.
    C_similar, loss, tol, max_newton, max_cg : see `RankSVM`.

    Attributes
    ----------
    C_ : the selected C. Cs_ : the candidates in ascending order.
    accuracies_ : ``(n_Cs,)`` validation accuracy of each candidate (NaN if unavailable).
    fold_accuracies_ : ``(n_folds_, n_Cs)``. n_folds_ : number of folds. n_validation_pairs_ : ordered validation pairs.
    ranksvm_ : the `RankSVM` fitted on all pairs, with the same coef_. n_features_in_ : d.
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
        """Select C and fit to features ``X`` ``(n, d)`` and pairs of its rows; raises as `RankSVM.fit`."""
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
                tol = max(self.tol, _FOLD_TOL)
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
                    f"C could not be selected: {pairs!r} cannot be split by image into training pairs and at least "
                    f"{self.min_pairs} ordered validation pairs; using C = {_FALLBACK:g}",
                    UserWarning,
                    stacklevel=2,
                )
        self.ranksvm_ = RankSVM(self.C_, tol=self.tol, **shared).fit(x, pairs)
        self.coef_, self.n_features_in_ = self.ranksvm_.coef_, self.ranksvm_.n_features_in_
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the strengths ``X w`` ``(n,)``; a larger value means more of the attribute."""
        check_is_fitted(self)
        return self.ranksvm_.predict(X)

    def score(self, X: ArrayLike, pairs: Pairs) -> float:
        """Return the pairwise accuracy on ordered pairs; a tie counts as an error, similar pairs are ignored."""
        return pairwise_accuracy(self.predict(X), pairs)


def split_by_image(pairs: Pairs, folds: int, seed: int, min_pairs: int) -> list[tuple[Pairs, Pairs]]:
    """Return (training pairs, validation pairs) of each fold, with no image in both; empty if that is impossible.

    Uses the largest number of folds up to ``folds`` such that each has an ordered training pair and an ordered
    validation pair, and there are at least ``min_pairs`` ordered validation pairs in total.
    """
    used = checks.check_pairs(pairs)
    images = np.flatnonzero(used)
    component = _components(pairs, images)
    for k in range(min(folds, images.size // 2), 1, -1):
        rng = generator(seed, "folds", k)
        n_components = int(component.max()) + 1
        size = np.bincount(component)
        if size.max() * k <= images.size * 1.5:
            fold_of_component = np.empty(n_components, np.int64)
            filled = np.zeros(k)
            # largest components first, so that the folds are balanced; ties in a random order
            for i in sorted(rng.permutation(n_components).tolist(), key=lambda i: -size[i]):
                fold_of_component[i] = filled.argmin()
                filled[fold_of_component[i]] += size[i]
            fold_of = fold_of_component[component]
        else:
            fold_of = np.empty(images.size, np.int64)
            fold_of[rng.permutation(images.size)] = np.arange(images.size) % k
        parts = [(pairs.among(images[fold_of != f]), pairs.among(images[fold_of == f])) for f in range(k)]
        if all(a.n_ordered and b.n_ordered for a, b in parts) and sum(b.n_ordered for _, b in parts) >= min_pairs:
            return parts
    return []


def _components(pairs: Pairs, images: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the connected component of each image in the graph of pairs."""
    if pairs.order is not None:
        return np.zeros(images.size, np.int64)
    left, right = (np.searchsorted(images, side) for side in (pairs.left, pairs.right))
    edges = coo_array((np.ones(left.size, np.int8), (left, right)), shape=(images.size, images.size))
    return connected_components(edges, directed=False)[1].astype(np.int64)
