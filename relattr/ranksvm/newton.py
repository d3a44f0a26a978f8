"""Truncated Newton method for RankSVM, and a loop in which many problems share each pass over the features.

The objective ``|w|^2 / 2 + loss(X w)`` is convex. Its Hessian ``I + X' L X``, with a graph Laplacian L over images, is
never formed. Preconditioned conjugate gradients solve for the Newton step (Chapelle & Keerthi, 2010), followed by a
line search. A conjugate-gradient step needs one product ``X v``, which also updates the decision values, and one
``X' u``.

The solver is a generator: it yields the vectors whose products it needs, and receives the products. It therefore reads
like a solver of a single problem, while `run_solvers` batches the requests of many solvers into one pass.

Stopping criterion: take as the dual variable of each pair the negative derivative of its loss at ``w``. The Fenchel
duality gap is then exactly ``|gradient|^2 / 2``, an upper bound of the distance of the objective from its minimum. The
solver stops when the gap is at most ``tol`` times the objective.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.ranksvm.graph import HessianOperator, PairwiseLoss
from relattr.ranksvm.products import FixedGramSpace, Space, matvec, rmatvec
from relattr.ranksvm.sketch import Sketch

Floats = NDArray[np.float64]
Kind = Literal["scores", "exact", "combination", "rounded scores", "rounded combination"]
Request = tuple[Kind, Floats]
Solver = Generator[Request, Floats, "NewtonResult"]

_FORCING = 0.1  # truncate CG when the decrease of a step is below this fraction of the mean decrease so far
_SLOPE = 0.01  # stop the line search when the slope is this fraction of the initial slope
_RECYCLED = 32  # conjugate directions of a Newton step that precondition the next
_CURVATURE_ERROR = 0.25  # relative error of the curvature along a step from which rounded features are not used again
_ROUNDED_STEPS = 12  # Newton steps with rounded features, of which few more are needed than of others


class NotFiniteError(ArithmeticError):
    """A product with the features is NaN or infinite: the features are not finite, or the product overflows."""


@dataclass
class NewtonResult:
    """Result of a solver: final point, its decision values ``scores``, objective, duality gap, and number of steps."""

    point: Floats
    scores: Floats
    objective: float
    gap: float
    n_newton: int
    n_cg: int
    converged: bool


@dataclass(frozen=True)
class SolverOptions:
    """Relative duality gap at which to stop, maximum Newton steps, and maximum conjugate-gradient steps in each."""

    tol: float
    max_newton: int
    max_cg: int


class _Preconditioner:
    """Approximate inverse of the Hessian for one Newton step.

    It divides by the expected Hessian in the directions of the `Sketch`. The conjugate directions Q of the previous
    Newton step, with products Y = H Q and Q'Y = D diagonal, then give a BFGS update (Morales & Nocedal, SIAM J. Optim.
    2000), which is exact on these directions for an unchanged Hessian.
    """

    def __init__(self, sketch: Sketch | None, curvature: HessianOperator, n: int) -> None:
        self.sketch = sketch
        if sketch is not None:
            self.factors = sketch.inverse(curvature, n)
        self.d: Floats | None = None

    def recycle(self, directions: list[Floats], products: list[Floats]) -> None:
        self.q = np.array(directions[-_RECYCLED:], np.float32)
        self.y = np.array(products[-_RECYCLED:], np.float32)
        self.d = np.einsum("ij,ij->i", self.q, self.y, dtype=np.float64)

    def apply(self, r: Floats) -> Floats:
        if self.d is None:
            return self._apply_sketch(r)
        a = matvec(self.q, r) / self.d
        z = self._apply_sketch(r - rmatvec(self.y, a))
        return z + rmatvec(self.q, a - matvec(self.y, z) / self.d)

    def _apply_sketch(self, r: Floats) -> Floats:
        if self.sketch is None:
            return r
        return r + rmatvec(self.sketch.vectors, self.factors * matvec(self.sketch.vectors, r))


def truncated_newton(
    loss: PairwiseLoss,
    size: int,
    n: int,
    primal: bool,
    limits: SolverOptions,
    sketch: Sketch | None = None,
    rounded: bool = False,
) -> Solver:
    """Minimise ``|w|^2 / 2 + loss(X w)`` from ``w = 0``, for points of ``size`` coordinates and ``n`` images.

    If not ``primal``, a point is ``a`` with ``w = X' a`` and ``|w|^2 = a' X w``, so that inner products are computed
    from decision values. These come from a Gram matrix that may be rounded to float32, which suffices for the steps;
    before stopping they are recomputed from the features ("exact"), and if the gap is then too large, the iteration
    continues. ``sketch`` is a preconditioner for the primal. If ``rounded``, the primal's products with the Hessian use
    features of 8 bits, as long as these represent the curvature along the steps.

    ``point``, the residual ``r``, the CG direction ``q`` and ``step`` have shape ``(size,)``; the decision values
    ``s``, the loss gradient ``g`` and the products with X, whose names begin with ``t_``, have shape ``(n,)``.
    """
    point, s = np.zeros(size), np.zeros(n)
    square = 0.0  # |w|^2
    value, g = loss.evaluate(s)
    n_newton = n_cg = 0
    directions: list[Floats] = []
    products: list[Floats] = []
    exact = primal
    while True:
        r = -(point + (yield "combination", g))
        t_r = r if primal else (yield "exact" if exact else "scores", r)
        objective = 0.5 * square + value
        gap = max(0.5 * float(r @ t_r), 0.0)
        target = limits.tol * objective
        # w = 0 may satisfy the criterion, but it ties all pairs: take a step unless it is the exact minimum
        if gap == 0.0 or (gap <= target and n_newton > 0) or n_newton == limits.max_newton:
            if exact:
                return NewtonResult(point, s, objective, gap, n_newton, n_cg, gap <= target)
            exact = True
            s = yield "exact", point
            square = float(point @ s)
            value, g = loss.evaluate(s)
            continue

        exact = primal
        rounded = rounded and n_newton < _ROUNDED_STEPS
        scores: Kind = "rounded scores" if rounded else "scores"
        combination: Kind = "rounded combination" if rounded else "combination"
        curvature = loss.curvature(s)
        precondition: Callable[[Floats], Floats] = _identity
        if primal:
            preconditioner = _Preconditioner(sketch, curvature, n)
            if directions:
                preconditioner.recycle(directions, products)
            precondition = preconditioner.apply
        directions, products = [], []
        step, t_step = np.zeros(size), np.zeros(n)
        z = precondition(r)
        q = z.copy()
        t_q = (yield scores, q) if primal else t_r.copy()
        rz = float(r @ (z if primal else t_r))
        decrease = 0.0  # of the quadratic model
        for k in range(1, limits.max_cg + 1):
            hessian_t_q = curvature.apply(t_q)
            curvature_along_q = float(q @ (q if primal else t_q)) + float(t_q @ hessian_t_q)
            alpha = rz / curvature_along_q
            step += alpha * q
            t_step += alpha * t_q
            n_cg += 1
            decrease += 0.5 * alpha * rz
            if k * 0.5 * alpha * rz <= _FORCING * decrease:
                break
            product = q + (yield combination, hessian_t_q)
            r = r - alpha * product
            t_r = r if primal else (yield "scores", r)
            if 0.5 * float(r @ t_r) <= 0.25 * target:
                break  # the gap after this step is small enough, unless the active pairs change much
            if primal:
                directions.append(q)
                products.append(product)
            z = precondition(r)
            new = float(r @ (z if primal else t_r))
            q = z + new / rz * q
            t_q = (yield scores, q) if primal else t_r + new / rz * t_q
            rz = new

        if rounded:
            t_step = yield "exact", step
            true = float(step @ step) + float(t_step @ curvature.apply(t_step))
            rounded = abs(true - 2.0 * decrease) <= _CURVATURE_ERROR * true
        other, same = (point, step) if primal else (s, t_step)
        cross, length = float(step @ other), float(step @ same)
        tau, value, g = _line_search(loss, s, t_step, cross, length, -2.0 * decrease)
        point += tau * step
        s += tau * t_step
        square += 2.0 * tau * cross + tau * tau * length
        n_newton += 1


def _identity(r: Floats) -> Floats:
    return r


def _line_search(
    loss: PairwiseLoss, s: Floats, t_step: Floats, cross: float, length: float, slope: float
) -> tuple[float, float, Floats]:
    """Find a step length at which the slope of the objective, which increases along the step, is nearly zero.

    ``s`` and ``t_step = X step``, ``(n,)``, are the decision values and their change per unit of step length;
    ``cross = w . step``, ``length = |step|^2``; ``slope`` is the initial slope. Safeguarded regula falsi. Returns the
    step length, and value and gradient of the loss there.
    """
    lower, slope_lower = 0.0, slope
    upper, slope_upper = np.inf, np.inf
    tau = 1.0
    for _ in range(30):
        value, g = loss.evaluate(s + tau * t_step)
        slope_tau = cross + tau * length + float(g @ t_step)
        if abs(slope_tau) <= _SLOPE * abs(slope):
            break
        if slope_tau < 0:
            lower, slope_lower = tau, slope_tau
        else:
            upper, slope_upper = tau, slope_tau
        if np.isinf(upper):
            tau *= 2.0
        else:
            tau = lower + (upper - lower) * max(0.05, min(0.95, -slope_lower / (slope_upper - slope_lower)))
    return tau, value, g


def run_solvers(space: Space | FixedGramSpace, solvers: Sequence[Solver]) -> list[NewtonResult]:
    """Run solvers to completion; in each round all requests of ``X v`` share one pass, then all of ``X' u``.

    Raises `NotFiniteError` if a product is not finite, as is the case if X contains NaN or infinity.
    """
    results: dict[int, NewtonResult] = {}
    requests: dict[int, Request] = {}

    def advance(k: int, product: Floats | None) -> None:
        try:
            requests[k] = next(solvers[k]) if product is None else solvers[k].send(product)
        except StopIteration as end:
            results[k] = end.value
            del requests[k]

    for k in range(len(solvers)):
        advance(k, None)
    while requests:
        for kind, multiply in (
            ("scores", space.matmat),
            ("rounded scores", space.rounded_matmat),
            ("exact", space.exact_matmat),
            ("combination", space.rmatmat),
            ("rounded combination", space.rounded_rmatmat),
        ):
            pending = [k for k, (requested, _) in requests.items() if requested == kind]
            if pending:
                for k, product in zip(pending, multiply([requests[k][1] for k in pending]), strict=True):
                    if not np.isfinite(product).all():
                        raise NotFiniteError
                    advance(k, product)
    return [results[k] for k in range(len(solvers))]
