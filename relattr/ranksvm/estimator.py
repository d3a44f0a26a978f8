"""RankSVM as a scikit-learn estimator, and the fit of many at once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from relattr.errors import BadInput
from relattr.pairs import Order, Pairs
from relattr.ranksvm import checks
from relattr.ranksvm.accuracy import pairwise_accuracy
from relattr.ranksvm.graph import PairGraph, PairwiseLoss, SquaredHingeLoss
from relattr.ranksvm.logistic import LogisticLoss, OrderLogisticLoss
from relattr.ranksvm.newton import NewtonResult, NotFiniteError, SolverOptions, run_solvers, truncated_newton
from relattr.ranksvm.order import OrderSquaredHingeLoss, SortedLevels
from relattr.ranksvm.products import choose_space, matvec

_KEEP_ALL = 0.75  # share of images in use from which a copy of their rows saves less than it costs


class RankSVM(BaseEstimator):
    """A linear ranking function ``x -> w . x`` from pairs of images (Parikh & Grauman, ICCV 2011).

    Minimises, over ordered pairs (i has more than j) and similar pairs,

        |w|^2 / 2  +  C/2 sum_ordered max(0, 1 - w.(x_i - x_j))^2  +  C_similar/2 sum_similar (w.(x_i - x_j))^2

    as the authors' released solver states it: there is no bias, a pair's weight is not divided by the
    number of pairs, and ``C`` multiplies half a sum (scikit-learn's LinearSVC has ``C = C_here / 2``). With
    ``loss="logistic"`` an ordered pair costs ``C log(1 + exp(-w.(x_i - x_j)))`` instead. A pair given
    twice counts twice.

    Parameters
    ----------
    C : weight of an ordered pair, > 0; 0.1 as in the paper.
    C_similar : weight of a similar pair, >= 0; None: the same as ``C``.
    loss : "squared_hinge" or "logistic".
    tol : stop when the duality gap is below this part of the objective, which is then proven to be within
        that of its minimum.
    max_newton, max_cg : most Newton steps, and most conjugate-gradient steps in each.

    Attributes
    ----------
    coef_ : ``(d,)`` float64, ``w``.
    objective_, gap_ : the objective reached, and the duality gap (``|gradient|^2 / 2``).
    n_newton_, n_cg_ : steps taken. converged_ : whether ``tol`` was reached.
    n_features_in_ : ``d``.

    The same input gives the bit-identical result on the same machine with the same number of threads.
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

    def fit(self, X: ArrayLike, pairs: Pairs) -> RankSVM:
        """Fit on features ``X`` ``(n, d)`` and pairs of its rows.

        float32 features are used as they are, without a copy if C-contiguous, and summed in float64.
        Raises `BadInput` for NaN or infinite features, an image beyond X, or no ordered pair.
        Warns (`ConvergenceWarning`) where ``tol`` was not reached.
        """
        _fit(X, [(self, pairs)])
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """The strengths ``X w`` ``(n,)``, larger = more of the attribute."""
        check_is_fitted(self)
        x = checks.check_features(X, self.n_features_in_)
        strengths = matvec(x, self.coef_)
        if not np.isfinite(strengths).all():
            checks.check_finite(x)
        return strengths

    def score(self, X: ArrayLike, pairs: Pairs) -> float:
        """Accuracy: correctly ordered pairs by ordered pairs; a tie is an error, similar pairs do not count."""
        return pairwise_accuracy(self.predict(X), pairs)


def fit_many(X: ArrayLike, problems: Sequence[tuple[Pairs, float]], **parameters: Any) -> list[RankSVM]:
    """Fit one `RankSVM` for each ``(pairs, C)``, all in lock step so that they share each pass over ``X``.

    ``parameters`` are those of `RankSVM` except ``C``. Each result is what `RankSVM.fit` finds, to its
    ``tol``. Products are in the precision of X, so with float32 (of which a centred copy is made) a
    ``tol`` much below 1e-6 is beyond what they can tell. Give problems with the same pairs the same `Pairs`
    object: what is built from it is built once.
    """
    if "C" in parameters:
        raise BadInput("fit_many takes C from each problem (pairs, C), not as a parameter")
    models = [RankSVM(C=C, **parameters) for _, C in problems]
    if models:
        _fit(X, [(model, pairs) for model, (pairs, _) in zip(models, problems, strict=True)])
    return models


def _fit(X: ArrayLike, problems: list[tuple[RankSVM, Pairs]]) -> None:
    for model, _ in problems:
        p = model.get_params()
        checks.check_parameters(**p)
    x = checks.check_features(X)
    n = x.shape[0]
    used = np.zeros(n, np.bool_)
    for pairs in {id(pairs): pairs for _, pairs in problems}.values():
        used |= checks.check_pairs(pairs, n)
    n_used = int(used.sum())
    number = None
    rows = x
    if n_used < n and (n_used < x.shape[1] or n_used < _KEEP_ALL * n):
        if not np.isfinite(matvec(x, np.zeros(x.shape[1]))).all():  # 0 times NaN or infinity is NaN
            checks.check_finite(x)
        rows = x[used]
        number = np.cumsum(used) - 1
    shared: dict[int, PairGraph | SortedLevels] = {}
    for _, pairs in problems:
        if id(pairs) not in shared:
            shared[id(pairs)] = _structure(pairs, number, rows.shape[0])
    try:
        with np.errstate(all="ignore"):
            space = choose_space(rows, len(problems))
            solvers = [
                truncated_newton(
                    _loss(model, shared[id(pairs)]),
                    space.size,
                    rows.shape[0],
                    space.primal,
                    SolverOptions(model.tol, model.max_newton, model.max_cg),
                    space.sketch,
                )
                for model, pairs in problems
            ]
            solutions = run_solvers(space, solvers)
    except NotFiniteError:
        checks.check_finite(x)
        raise BadInput("products with the features overflow; scale the features first, or lower C") from None
    for (model, _), solution in zip(problems, solutions, strict=True):
        _store(model, solution, space.weights(solution.point))
    lost = [
        (model, solution) for (model, _), solution in zip(problems, solutions, strict=True) if not solution.converged
    ]
    if lost:
        model, solution = lost[0]
        warnings.warn(
            f"RankSVM(C={model.C:g}) stopped after {solution.n_newton} Newton steps with a duality gap of "
            f"{solution.gap:.2g} at an objective of {solution.objective:.6g}, above tol={model.tol:g}"
            + (f"; so did {len(lost) - 1} more of {len(problems)} fits" if len(lost) > 1 else "")
            + ": raise max_newton or tol, lower C, or scale the features",
            ConvergenceWarning,
            stacklevel=3,
        )


def _structure(pairs: Pairs, number: NDArray[np.integer[Any]] | None, n: int) -> PairGraph | SortedLevels:
    order = pairs.order
    if order is not None:
        items = order.items if number is None else number[order.items].astype(np.int32)
        return SortedLevels(Order(items, order.strengths, order.seed), n)
    left, right, label = pairs.arrays
    if number is None:
        return PairGraph(left, right, label, n)
    return PairGraph(number[left], number[right], label, n)


def _loss(model: RankSVM, structure: PairGraph | SortedLevels) -> PairwiseLoss:
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
