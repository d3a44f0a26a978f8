"""Selection of C by cross-validation over training pairs, with folds of images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.ranksvm import checks
from relattr.ranksvm.accuracy import count_correct
from relattr.ranksvm.estimator import PairwiseRanker, RankSVM, fit_many
from relattr.ranksvm.products import Space, choose_space

MAX_PAIRS = 1_000_000
_FALLBACK = 0.1  # Parikh & Grauman's
_FOLD_TOL = 1e-3  # tolerance of the fits on folds: their predicted orders do not change after that
_LOWEST = 0.1  # of C times the trace of X'LX: for a smaller C, regularisation alone decides the order of the images
_DECADES, _MAX_DECADES = 8, 14
_PATIENCE = 2  # values of C in a row that are clearly worse than the best one, after which larger ones are not tried
_SCALE_SAMPLE = 1024  # pairs from which the trace is estimated


class RankSVMCV(PairwiseRanker):
    """`RankSVM` with C selected by cross-validation grouped by image, then refitted on all pairs.

    The images are split into folds. The models of a fold are trained on the pairs with no image in the fold and
    validated on the ordered pairs with both images in it, so that no image is in both sets; pairs with one image in the
    fold are not used. If the graph of pairs has only small connected components (for example if each image is in one
    pair), whole components are held out and every pair is used. Correct and ordered pairs are summed over the folds;
    the C with the highest accuracy is selected, the smallest one if several are tied.

    If that is impossible (a fold has no ordered training pair, or fewer than ``min_pairs`` validation pairs remain in
    total), fewer folds are tried, down to 2; if this fails too, C = 0.1 as in the paper is used, with a warning.

    By default C is searched in powers of ten. The first one is small enough that regularisation alone decides the
    order of the images: with the Hessian ``I + C X'LX`` (L is the graph Laplacian of the pairs), C times the trace of
    ``X'LX`` is at most 0.1. It therefore depends on the number of pairs and the scale of the features. Larger ones
    follow, at least 8 in all, and up to 14 while the last one is the best. The search ends earlier after two in a row
    that are worse than the best by more than a standard error of its accuracy.

    With more than ``max_pairs`` pairs, C is selected on a random sample of ``max_pairs`` of them, in which each pair
    has the weight C times (pairs / sample); the final fit uses all pairs. Pairs that are defined by an
    `Order` cost little and are not sampled.

    Parameters
    ----------
    Cs : candidate values; None for the search above.
    folds : number of folds, >= 2.
    seed : determines the folds and the sample.
    min_pairs, max_pairs : see above.
    C_similar, loss, tol, max_newton, max_cg : see `RankSVM`.

    Attributes
    ----------
    C_ : the selected C.
    Cs_ : the candidates that were evaluated, in ascending order.
    end_ : "lower" or "upper" if ``C_`` is that end of the candidates, so that the best value may lie beyond, else "".
        Below the lower end of the default search the order of the images is the same, so this is not an end.
    accuracies_ : ``(n_Cs,)`` validation accuracy of each candidate (NaN if unavailable).
    fold_accuracies_ : ``(n_folds_, n_Cs)``.
    n_folds_ : number of folds.
    n_validation_pairs_ : number of ordered validation pairs.
    ranksvm_ : the `RankSVM` fitted on all pairs.
    coef_ : its ``coef_``.
    n_features_in_ : ``d``.
    """

    C_: float
    Cs_: NDArray[np.float64]
    end_: Literal["", "lower", "upper"]
    accuracies_: NDArray[np.float64]
    fold_accuracies_: NDArray[np.float64]
    n_folds_: int
    n_validation_pairs_: int
    ranksvm_: RankSVM
    coef_: NDArray[np.float64]
    n_features_in_: int

    def __init__(
        self,
        Cs: Sequence[float] | None = None,
        *,
        folds: int = 5,
        seed: int = 0,
        min_pairs: int = 30,
        max_pairs: int = MAX_PAIRS,
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
        self.max_pairs = max_pairs
        self.C_similar = C_similar
        self.loss = loss
        self.tol = tol
        self.max_newton = max_newton
        self.max_cg = max_cg

    def fit(self, X: ArrayLike, y: Pairs | ArrayLike) -> RankSVMCV:
        """Select C and fit to features ``X`` and pairs or scores ``y``; raises as `RankSVM.fit`."""
        grid = None if self.Cs is None else np.unique([checks.check_positive("each of Cs", C) for C in self.Cs])
        if grid is not None and grid.size == 0:
            raise BadInput("Cs is empty; expected at least one C above 0")
        for name, minimum in (("folds", 2), ("max_pairs", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < minimum:
                raise BadInput(f"{name} is {value!r}; expected an integer of at least {minimum}")
        shared: dict[str, Any] = {
            "C_similar": self.C_similar,
            "loss": self.loss,
            "max_newton": self.max_newton,
            "max_cg": self.max_cg,
        }
        x = checks.check_features(X)
        checks.check_parameters(C=1.0, tol=self.tol, **shared)
        pairs = checks.as_pairs(y, x.shape[0])
        checks.check_pairs(pairs, x.shape[0])

        sample = _sample(pairs, self.max_pairs, self.seed)
        parts = split_by_image(sample, self.folds, self.seed, self.min_pairs)
        self.n_folds_ = len(parts)
        self.n_validation_pairs_ = sum(held_out.n_ordered for _, held_out in parts)
        if parts and (grid is None or grid.size > 1):
            validation = _Validation(x, parts, len(pairs) / len(sample), max(self.tol, _FOLD_TOL), shared)
            if grid is None:
                self.Cs_, counts = _search(validation, lowest_c(x, pairs))
            else:
                self.Cs_, counts = grid, validation.counts(grid.tolist())
            self.fold_accuracies_ = counts[..., 0] / counts[..., 1]
            self.accuracies_ = counts[..., 0].sum(0) / counts[..., 1].sum(0)
            best = int(self.accuracies_.argmax())
            self.C_ = float(self.Cs_[best])
            self.end_ = ""
            if best == self.Cs_.size - 1:
                self.end_ = "upper"
            elif best == 0 and grid is not None:
                self.end_ = "lower"
        else:
            self.Cs_ = np.array([_FALLBACK]) if grid is None else grid
            self.fold_accuracies_ = np.full((len(parts), self.Cs_.size), np.nan)
            self.accuracies_ = np.full(self.Cs_.size, np.nan)
            self.C_ = float(grid[0]) if grid is not None and grid.size == 1 else _FALLBACK
            self.end_ = ""
            if grid is None or grid.size > 1:
                warnings.warn(
                    f"C could not be selected: {pairs!r} cannot be split by image into training pairs and at least "
                    f"{self.min_pairs} ordered validation pairs; using C = {_FALLBACK:g}",
                    UserWarning,
                    stacklevel=2,
                )
        self.ranksvm_ = RankSVM(self.C_, tol=self.tol, **shared).fit(x, pairs)
        self.coef_, self.n_features_in_ = self.ranksvm_.coef_, self.ranksvm_.n_features_in_
        validate_data(self, X, skip_check_array=True)  # stores the names of the features
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the strengths ``X w`` ``(n,)``; a larger value means more of the attribute."""
        check_is_fitted(self)
        x = checks.check_features(X, self.n_features_in_)
        validate_data(self, X, reset=False, skip_check_array=True)  # compares the names of the features
        return self.ranksvm_.predict(x)


class _Validation:
    """Fits on folds of a sample of the pairs, which share the structures of the features."""

    def __init__(
        self, x: NDArray[Any], parts: list[tuple[Pairs, Pairs]], factor: float, tol: float, shared: dict[str, Any]
    ) -> None:
        self.x, self.parts, self.factor, self.tol = x, parts, factor, tol
        self.shared = dict(shared)
        if shared["C_similar"] is not None:
            self.shared["C_similar"] = factor * shared["C_similar"]
        with np.errstate(all="ignore"):  # the first product detects features that are not finite
            self.space: Space = choose_space(x, len(parts))

    def counts(self, Cs: Sequence[float]) -> NDArray[np.float64]:
        """Correct and ordered validation pairs of each fold and C, ``(n_folds, len(Cs), 2)``."""
        problems = [(train, self.factor * C) for train, _ in self.parts for C in Cs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fits = fit_many(self.x, problems, space=self.space, tol=self.tol, **self.shared)
        counts = np.empty((len(self.parts), len(Cs), 2))
        for k, model in enumerate(fits):
            fold, c = divmod(k, len(Cs))
            counts[fold, c] = count_correct(model.predict(self.x), self.parts[fold][1])
        return counts


def _search(validation: _Validation, lowest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Evaluate powers of ten from ``lowest`` on: the values, and their counts ``(n_folds, n_Cs, 2)``."""
    exponent = round(float(np.log10(lowest)))
    Cs: list[float] = []
    counts: list[NDArray[np.float64]] = []
    for k in range(_MAX_DECADES):
        Cs.append(float(f"1e{exponent + k}"))
        counts.append(validation.counts(Cs[-1:]))
        correct, ordered = np.concatenate(counts, axis=1).sum(0).T
        accuracy = correct / ordered
        best = int(accuracy.argmax())
        error = np.sqrt(accuracy[best] * (1 - accuracy[best]) / ordered[best])
        worse = accuracy[best + 1 :] < accuracy[best] - error
        if worse.size >= _PATIENCE and worse[-_PATIENCE:].all():
            break
        if k + 1 >= _DECADES and best < k:
            break
    return np.array(Cs), np.concatenate(counts, axis=1)


def lowest_c(x: NDArray[Any], pairs: Pairs) -> float:
    """The largest power of ten that times the sum of ``|x_i - x_j|^2`` over the pairs is at most 0.1.

    The sum, the trace of ``X'LX``, is estimated from 1,024 evenly spaced pairs. 1e-4 if all differences are zero.
    """
    m = min(_SCALE_SAMPLE, len(pairs))
    index = np.arange(m, dtype=np.int64) * len(pairs) // m
    left, right = (pairs.order.pairs_at(index) if pairs.order is not None else pairs.take(index).arrays)[:2]
    squared = 0.0
    with np.errstate(all="ignore"):  # infinite features are reported below
        for start in range(0, m, 128):
            difference = x[left[start : start + 128]].astype(np.float64) - x[right[start : start + 128]]
            squared += float(np.einsum("ij,ij->", difference, difference))
    trace = squared * len(pairs) / m
    if not np.isfinite(trace):
        checks.check_finite(x)
        raise BadInput("squared differences of the features overflow; scale the features")
    return float(10.0 ** np.floor(np.log10(_LOWEST / trace))) if trace > 0 else 1e-4


def _sample(pairs: Pairs, max_pairs: int, seed: int) -> Pairs:
    """At most ``max_pairs`` of the pairs, at random; pairs defined by an `Order` are returned as they are."""
    if pairs.order is not None or len(pairs) <= max_pairs:
        return pairs
    return pairs.take(np.sort(generator(seed, "pairs").choice(len(pairs), max_pairs, replace=False)))


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
