"""Truncated Newton for one RankSVM, and the loop in which many of them share each pass over the features.

The objective is ``|w|^2 / 2 + loss(X w)``: convex, with a Hessian ``I + X' L X`` that is never formed,
L a graph Laplacian over images. Conjugate gradients solve for the Newton step (Chapelle & Keerthi,
2010), and the objective is minimised along it. One conjugate-gradient step needs one ``X v``, of which
the scores are kept up to date, and one ``X' u``.

The solver is a generator: it yields the vectors that it needs multiplied and is sent the products. So
it reads like a solver of one problem, and `run_solvers` can gather what many of them ask for into one pass.

When does it stop? Let each pair's dual variable be minus the slope of its loss at ``w``. The Fenchel
duality gap is then exactly ``|gradient|^2 / 2``, which proves how far the objective can be above its
minimum: at most ``tol`` times itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.ranksvm.graph import HessianOperator, PairwiseLoss
from relattr.ranksvm.products import Space, matvec, rmatvec
from relattr.ranksvm.sketch import Sketch

Floats = NDArray[np.float64]
Request = tuple[Literal["scores", "exact", "combination"], Floats]
Solver = Generator[Request, Floats, "NewtonResult"]

_FORCING = 0.1  # a Newton step is good enough when a further CG step gains this little of the mean gain so far
_FLAT = 0.01  # the line search ends where the slope is this part of that at its start
_KEPT = 32  # directions of the last Newton step that precondition the next


class NotFiniteError(ArithmeticError):
    """A product with the features holds NaN or an infinity: so do the features, or they overflow."""


@dataclass
class NewtonResult:
    """Where a solver stopped: the point and its scores, the objective, and the gap that proves it."""

    point: Floats
    scores: Floats
    objective: float
    gap: float
    n_newton: int
    n_cg: int
    converged: bool


@dataclass(frozen=True)
class SolverOptions:
    """When to stop: duality gap by objective, Newton steps, conjugate-gradient steps in each of them."""

    tol: float
    max_newton: int
    max_cg: int


class _Preconditioner:
    """An approximate inverse of the Hessian, for one Newton step.

    In the directions of the `Sketch` it divides by what the Hessian should be there. From the conjugate
    directions Q of the Newton step before, with products Y = H Q and Q'Y = D diagonal, it is then the BFGS
    inverse of those pairs (Morales & Nocedal, SIAM J. Optim. 2000): exact where they were.
    """

    def __init__(self, sketch: Sketch | None, curvature: HessianOperator, n: int) -> None:
        self.sketch = sketch
        if sketch is not None:
            self.extra = sketch.inverse(curvature, n)
        self.d: Floats | None = None

    def recycle(self, directions: list[Floats], products: list[Floats]) -> None:
        self.q = np.array(directions[-_KEPT:], np.float32)
        self.y = np.array(products[-_KEPT:], np.float32)
        self.d = np.einsum("ij,ij->i", self.q, self.y, dtype=np.float64)

    def apply(self, r: Floats) -> Floats:
        if self.d is None:
            return self._sketched(r)
        a = matvec(self.q, r) / self.d
        z = self._sketched(r - rmatvec(self.y, a))
        return z + rmatvec(self.q, a - matvec(self.y, z) / self.d)

    def _sketched(self, r: Floats) -> Floats:
        if self.sketch is None:
            return r
        return r + rmatvec(self.sketch.vectors, self.extra * matvec(self.sketch.vectors, r))


def truncated_newton(
    loss: PairwiseLoss, size: int, n: int, primal: bool, limits: SolverOptions, sketch: Sketch | None = None
) -> Solver:
    """Minimise ``|w|^2 / 2 + loss(X w)`` from ``w = 0``; ``size`` numbers make a point, ``n`` images have scores.

    Out of the primal a point is ``a`` with ``w = X' a``, and ``|w|^2 = a' X w``: an inner product there
    takes the scores of one side. They come from a matrix that may be rounded to float32, good enough for a
    step; before the end they are taken from the features themselves ("exact"), and if the gap is then too
    wide, more steps follow from there. ``sketch`` preconditions in the primal.
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
        enough = limits.tol * objective
        # w = 0 may be near enough in objective, but it ties all pairs: take a step unless it is the minimum
        if gap == 0.0 or (gap <= enough and n_newton > 0) or n_newton == limits.max_newton:
            if exact:
                return NewtonResult(point, s, objective, gap, n_newton, n_cg, gap <= enough)
            exact = True
            s = yield "exact", point
            square = float(point @ s)
            value, g = loss.evaluate(s)
            continue

        exact = primal
        curvature = loss.curvature(s)
        precondition: Callable[[Floats], Floats] = _unchanged
        if primal:
            preconditioner = _Preconditioner(sketch, curvature, n)
            if directions:
                preconditioner.recycle(directions, products)
            precondition = preconditioner.apply
        directions, products = [], []
        step, t_step = np.zeros(size), np.zeros(n)
        z = precondition(r)
        q = z.copy()
        t_q = (yield "scores", q) if primal else t_r.copy()
        rz = float(r @ (z if primal else t_r))
        decrease = 0.0  # of the quadratic model
        for k in range(1, limits.max_cg + 1):
            bent = curvature.apply(t_q)
            bend = float(q @ (q if primal else t_q)) + float(t_q @ bent)
            alpha = rz / bend
            step += alpha * q
            t_step += alpha * t_q
            n_cg += 1
            decrease += 0.5 * alpha * rz
            if k * 0.5 * alpha * rz <= _FORCING * decrease:
                break
            product = q + (yield "combination", bent)
            r = r - alpha * product
            t_r = r if primal else (yield "scores", r)
            if 0.5 * float(r @ t_r) <= 0.25 * enough:
                break  # the gap after this step is small enough unless the active pairs change much
            if primal:
                directions.append(q)
                products.append(product)
            z = precondition(r)
            new = float(r @ (z if primal else t_r))
            q = z + new / rz * q
            t_q = (yield "scores", q) if primal else t_r + new / rz * t_q
            rz = new

        other, same = (point, step) if primal else (s, t_step)
        cross, length = float(step @ other), float(step @ same)
        tau, value, g = _search(loss, s, t_step, cross, length, -2.0 * decrease)
        point += tau * step
        s += tau * t_step
        square += 2.0 * tau * cross + tau * tau * length
        n_newton += 1


def _unchanged(r: Floats) -> Floats:
    return r


def _search(
    loss: PairwiseLoss, s: Floats, t_step: Floats, cross: float, length: float, slope: float
) -> tuple[float, float, Floats]:
    """How far to go along the step: where the slope of the objective, which rises along it, is nearly zero.

    ``cross = w . step``, ``length = |step|^2``, ``slope`` that of the objective at the start. Returns the
    factor, and the loss's value and gradient there.
    """
    low, slope_low = 0.0, slope
    high, slope_high = np.inf, np.inf
    tau = 1.0
    for _ in range(30):
        value, g = loss.evaluate(s + tau * t_step)
        here = cross + tau * length + float(g @ t_step)
        if abs(here) <= _FLAT * abs(slope):
            break
        if here < 0:
            low, slope_low = tau, here
        else:
            high, slope_high = tau, here
        if np.isinf(high):
            tau *= 2.0
        else:
            tau = low + (high - low) * max(0.05, min(0.95, -slope_low / (slope_high - slope_low)))
    return tau, value, g


def run_solvers(space: Space, solvers: Sequence[Solver]) -> list[NewtonResult]:
    """Run these solvers to their ends; in a round all that want ``X v`` share a pass, then all that want ``X' u``.

    Raises `NotFiniteError` when a product is not finite, which a NaN or infinity anywhere in X makes it.
    """
    solutions: dict[int, NewtonResult] = {}
    wants: dict[int, Request] = {}

    def advance(k: int, product: Floats | None) -> None:
        try:
            wants[k] = next(solvers[k]) if product is None else solvers[k].send(product)
        except StopIteration as end:
            solutions[k] = end.value
            del wants[k]

    for k in range(len(solvers)):
        advance(k, None)
    while wants:
        for kind, multiply in (
            ("scores", space.matmat),
            ("exact", space.exact_matmat),
            ("combination", space.rmatmat),
        ):
            who = [k for k, (what, _) in wants.items() if what == kind]
            if who:
                for k, product in zip(who, multiply([wants[k][1] for k in who]), strict=True):
                    if not np.isfinite(product).all():
                        raise NotFiniteError
                    advance(k, product)
    return [solutions[k] for k in range(len(solvers))]
