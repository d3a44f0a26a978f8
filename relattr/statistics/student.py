"""Student's t and the normal distribution, for one value at a time: `scipy.special` takes 0.2 s to import.

The tail is an incomplete beta function, computed by its continued fraction (Press et al., Numerical Recipes, section
6.4). The relative error is below 1e-12 up to ten thousand degrees of freedom and 1e-10 up to a million; the time grows
with their root.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statistics import NormalDist

_SMALLEST = 5e-324
_TINY = 1e-300
_MAX_TERMS = 1_000_000


@cache
def _normal() -> NormalDist:
    from statistics import NormalDist  # imports decimal and fractions

    return NormalDist()


def normal_quantile(p: float) -> float:
    """Return the value that a standard normal variable exceeds with probability 1 - p, for p in (0, 1)."""
    return _normal().inv_cdf(max(p, _SMALLEST))


def student_probability(t: float, df: float) -> float:
    """Return the probability that a variable with Student's distribution, ``df`` >= 1/2, is at most ``t``."""
    if math.isnan(t) or math.isnan(df):
        return math.nan
    if math.isinf(df):
        return _normal().cdf(t)
    tail = _upper_tail(abs(t), df)
    return tail if t < 0 else 1.0 - tail


@lru_cache(maxsize=10_000)
def student_quantile(p: float, df: float) -> float:
    """Return the value that such a variable exceeds with probability 1 - p, for p in (0, 1) and ``df`` >= 1/2."""
    if math.isnan(df):
        return math.nan
    if math.isinf(df):
        return normal_quantile(p)
    if p == 0.5:
        return 0.0
    return -_quantile_of_tail(p, df) if p < 0.5 else _quantile_of_tail(1.0 - p, df)


def _quantile_of_tail(q: float, df: float) -> float:
    """The t > 0 whose upper tail is q < 1/2.

    Newton's method for the logarithm of the tail as a function of log t, which is decreasing and concave, so that it
    converges from every start.
    """
    z = -normal_quantile(q)
    t = max(_expansion(z, df), z)  # the tails are heavier than those of the normal distribution
    for _ in range(100):
        tail = _upper_tail(t, df)
        step = math.log(tail / q) * tail / (t * _density(t, df))
        t *= math.exp(step)
        if abs(step) < 1e-9:  # the error of the next value is about its square
            break
    return t


def _expansion(z: float, df: float) -> float:
    """The quantile from that of the normal distribution, to the third order in 1 / df (Abramowitz & Stegun 26.7.5)."""
    z2 = z * z
    first = (z2 + 1) / 4
    second = ((5 * z2 + 16) * z2 + 3) / 96
    third = (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384
    return z * (1 + (first + (second + third / df) / df) / df)


def _density(t: float, df: float) -> float:
    scale = _log_gamma_ratio(df / 2) - 0.5 * math.log(math.pi * df)
    return math.exp(scale - (df + 1) / 2 * math.log1p(t * t / df))


def _upper_tail(t: float, df: float) -> float:
    """The probability of more than t >= 0: half the incomplete beta function of df / (df + t^2) at df/2, 1/2."""
    if t == 0.0:
        return 0.5
    if math.isinf(t):
        return 0.0
    a, ratio = df / 2, t * t / df
    x, y = 1 / (1 + ratio), ratio / (1 + ratio)
    logarithm = _log_gamma_ratio(a) - 0.5 * math.log(math.pi / ratio) - (a + 0.5) * math.log1p(ratio)
    factor = math.exp(logarithm)
    if x < (a + 1) / (a + 2.5):
        return 0.5 * factor * _continued_fraction(a, 0.5, x) / a
    return 0.5 - factor * _continued_fraction(0.5, a, y)


def _log_gamma_ratio(a: float) -> float:
    """log(gamma(a + 1/2) / gamma(a)); from its asymptotic series where the two logarithms would cancel."""
    if a < 20:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    r = 1 / (a * a)
    series = -1 / 8 + r * (1 / 192 + r * (-1 / 640 + r * (17 / 14336 - r * 31 / 18432)))
    return 0.5 * math.log(a) + series / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c = 1.0
    d = 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _MAX_TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            c = 1 + numerator / c
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            value *= d * c
        if abs(d * c - 1) < 3e-16:
            break
    return value
