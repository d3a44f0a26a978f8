"""RankSVM as a scikit-learn estimator, and simultaneous fits of many."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from relattr.errors import BadInput
from relattr.pairs import Order, Pairs
from relattr.ranksvm import checks
from relattr.ranksvm.accuracy import pairwise_accuracy
from relattr.ranksvm.graph import PairGraph, PairwiseLoss, SquaredHingeLoss
from relattr.ranksvm.logistic import LogisticLoss, OrderLogisticLoss
from relattr.ranksvm.newton import NewtonResult, NotFiniteError, SolverOptions, run_solvers, truncated_newton
from relattr.ranksvm.order import OrderSquaredHingeLoss, SortedLevels
from relattr.ranksvm.products import Space, choose_space, matvec

_KEEP_ALL = 0.75  # from this share of images in use, copying their rows costs more than it saves


class PairwiseRanker(BaseEstimator):
    """An estimator whose `predict` returns the strength of each image, and whose `score` is the pairwise accuracy."""

    def score(self, X: ArrayLike, y: Pairs | ArrayLike) -> float:
        """Return the pairwise accuracy on ordered pairs; a tie counts as an error, similar pairs are ignored.

        ``y`` as in `fit`.
        """
        strengths = self.predict(X)
        return pairwise_accuracy(strengths, checks.as_pairs(y, strengths.size))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class RankSVM(PairwiseRanker):
    """Linear ranking function ``x -> w . x`` learned from pairs of images (Parikh & Grauman, ICCV 2011).

    Minimises, over ordered pairs (i has more than j) and similar pairs::

        |w|^2 / 2  +  C/2 sum_ordered max(0, 1 - w.(x_i - x_j))^2  +  C_similar/2 sum_similar (w.(x_i - x_j))^2

    as in the authors' released solver: there is no bias, the weight of a pair is not divided by the number of pairs,
    and ``C`` multiplies half of the sum (this ``C`` is twice that of scikit-learn's LinearSVC). With
    ``loss="logistic"`` the loss of an ordered pair is ``C log(1 + exp(-w.(x_i - x_j)))``. A pair given twice counts
    twice.

    Parameters
    ----------
    C : weight of an ordered pair, > 0; 0.1 as in the paper.
    C_similar : weight of a similar pair, >= 0; None for the value of ``C``.
    loss : "squared_hinge" or "logistic".
    tol : relative tolerance: stop when the duality gap is at most ``tol`` times the objective, which bounds the
        distance of the objective from its minimum.
    max_newton, max_cg : maximum number of Newton steps, and of conjugate-gradient steps in each.

    Attributes
    ----------
    coef_ : ``(d,)`` float64, ``w``.
    objective_, gap_ : final value of the objective and of the duality gap (``|gradient|^2 / 2``).
    n_newton_, n_cg_ : number of steps.
    converged_ : whether ``tol`` was reached.
    n_features_in_ : ``d``.

    Results are bit-identical for the same input, machine and number of threads.
    """

    coef_: NDArray[np.float64]
    objective_: float
    gap_: float
    n_newton_: int
    n_cg_: int
    converged_: bool
    n_features_in_: int

    def __init__(
        self,
        C: float = 0.1,
        *,
        C_similar: float | None = None,
        loss: Literal["squared_hinge", "logistic"] = "squared_hinge",
        tol: float = 1e-6,
        max_newton: int = 100,
        max_cg: int = 250,
    ) -> None:
        self.C = C
        self.C_similar = C_similar
        self.loss = loss
        self.tol = tol
        self.max_newton = max_newton
        self.max_cg = max_cg

    def fit(self, X: ArrayLike, y: Pairs | ArrayLike) -> RankSVM:
        """Fit to features ``X`` ``(n, d)`` and pairs ``y`` of its rows.

        ``y`` may also be scores of the rows, ``(n,)``: then all their pairs are used.

        float32 features are not converted, nor copied if C-contiguous; sums are in float64. Raises `BadInput` for
        features that are NaN or infinite, an image beyond X, or no ordered pair. Warns (`ConvergenceWarning`) if
        ``tol`` was not reached.
        """
        x = checks.check_features(X)
        _fit(x, [(self, checks.as_pairs(y, x.shape[0]))])
        validate_data(self, X, skip_check_array=True)  # stores the names of the features
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the strengths ``X w`` ``(n,)``; a larger value means more of the attribute."""
        check_is_fitted(self)
        x = checks.check_features(X, self.n_features_in_)
        validate_data(self, X, reset=False, skip_check_array=True)  # compares the names of the features
        strengths = matvec(x, self.coef_)
        if not np.isfinite(strengths).all():
            checks.check_finite(x)
        return strengths


def fit_many(
    X: ArrayLike, problems: Sequence[tuple[Pairs, float]], *, space: Space | None = None, **parameters: Any
) -> list[RankSVM]:
    """Fit one `RankSVM` for each ``(pairs, C)``, in lock step, so that they share each pass over ``X``.

    ``parameters`` are those of `RankSVM` except ``C``. The results equal those of `RankSVM.fit` up to ``tol``. Products
    are in the precision of X: with float32 (which is copied and centred), a ``tol`` much below 1e-6 cannot be
    reached. Use the same `Pairs` object for problems with the same pairs, so that its graph is built once. ``space`` is
    the result of `choose_space` for X, for several calls with the same X.
    """
    if "C" in parameters:
        raise BadInput("fit_many takes C from each problem (pairs, C), not as a parameter")
    models = [RankSVM(C=C, **parameters) for _, C in problems]
    if models:
        _fit(X, [(model, pairs) for model, (pairs, _) in zip(models, problems, strict=True)], space)
    return models


def _fit(X: ArrayLike, problems: list[tuple[RankSVM, Pairs]], space: Space | None = None) -> None:
    for model, _ in problems:
        p = model.get_params()
        checks.check_parameters(**p)
    x = checks.check_features(X)
    n = x.shape[0]
    used = np.zeros(n, np.bool_)
    for pairs in {id(pairs): pairs for _, pairs in problems}.values():
        used |= checks.check_pairs(pairs, n)
    n_used = int(used.sum())
    row_of = None  # the row of each image, if only the rows of images in use are copied
    rows = x
    if space is None and n_used < n and (n_used < x.shape[1] or n_used < _KEEP_ALL * n):
        if not np.isfinite(matvec(x, np.zeros(x.shape[1]))).all():  # 0 times NaN or infinity is NaN
            checks.check_finite(x)
        rows = x[used]
        row_of = np.cumsum(used) - 1
    shared: dict[int, PairGraph | SortedLevels] = {}
    for _, pairs in problems:
        if id(pairs) not in shared:
            shared[id(pairs)] = pair_structure(pairs, row_of, rows.shape[0])
    try:
        with np.errstate(all="ignore"):
            space = choose_space(rows, len(problems)) if space is None else space
            solvers = [
                truncated_newton(
                    pairwise_loss(model, shared[id(pairs)]),
                    space.size,
                    rows.shape[0],
                    space.primal,
                    SolverOptions(model.tol, model.max_newton, model.max_cg),
                    space.sketch,
                    space.rounded,
                )
                for model, pairs in problems
            ]
            solutions = run_solvers(space, solvers)
    except NotFiniteError:
        checks.check_finite(x)
        raise BadInput("products with the features overflow; scale the features, or decrease C") from None
    for (model, _), solution in zip(problems, solutions, strict=True):
        _store(model, solution, space.weights(solution.point))
    failed = [
        (model, solution) for (model, _), solution in zip(problems, solutions, strict=True) if not solution.converged
    ]
    if failed:
        model, solution = failed[0]
        warnings.warn(
            f"RankSVM(C={model.C:g}) stopped after {solution.n_newton} Newton steps with a duality gap of "
            f"{solution.gap:.2g} at an objective of {solution.objective:.6g}, above tol={model.tol:g}"
            + (f"; so did {len(failed) - 1} more of {len(problems)} fits" if len(failed) > 1 else "")
            + ": increase max_newton or tol, decrease C, or scale the features",
            ConvergenceWarning,
            stacklevel=3,
        )


def pair_structure(pairs: Pairs, row_of: NDArray[np.integer[Any]] | None, n: int) -> PairGraph | SortedLevels:
    """The pairs in the form that losses take, for ``n`` images; ``row_of`` renumbers the images."""
    order = pairs.order
    if order is not None:
        items = order.items if row_of is None else row_of[order.items].astype(np.int32)
        return SortedLevels(Order(items, order.strengths, order.seed), n)
    left, right, label = pairs.arrays
    if row_of is None:
        return PairGraph(left, right, label, n)
    return PairGraph(row_of[left], row_of[right], label, n)


def pairwise_loss(model: RankSVM, structure: PairGraph | SortedLevels) -> PairwiseLoss:
    """The loss of a RankSVM with these parameters over these pairs."""
    c = float(model.C)
    c_similar = c if model.C_similar is None else float(model.C_similar)
    hinge = model.loss == "squared_hinge"
    if isinstance(structure, SortedLevels):
        return OrderSquaredHingeLoss(structure, c, c_similar) if hinge else OrderLogisticLoss(structure, c, c_similar)
    return SquaredHingeLoss(structure, c, c_similar) if hinge else LogisticLoss(structure, c, c_similar)


def _store(model: RankSVM, solution: NewtonResult, weights: NDArray[np.float64]) -> None:
    model.coef_, model.n_features_in_ = weights, weights.size
    model.objective_, model.gap_ = solution.objective, solution.gap
    model.n_newton_, model.n_cg_, model.converged_ = solution.n_newton, solution.n_cg, solution.converged
