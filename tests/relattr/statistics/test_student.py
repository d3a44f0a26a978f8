"""Student's t and the normal distribution, against closed forms and SciPy."""

from __future__ import annotations

import math

import pytest
from scipy import special

from relattr.statistics.student import normal_quantile, student_probability, student_quantile

VALUES = [1e-3, 0.1, 0.5, 1.0, 1.96, 2.5, 8.0, 37.0, 1e4]
PROBABILITIES = [1e-12, 1e-6, 0.005, 0.025, 0.2, 0.49]


@pytest.mark.parametrize("t", VALUES)
def test_one_and_two_degrees_of_freedom_have_closed_forms(t):
    assert student_probability(-t, 1.0) == pytest.approx(math.atan2(1.0, t) / math.pi, rel=1e-13)
    assert student_probability(-t, 2.0) == pytest.approx(1 / (2 + t * t + t * math.sqrt(2 + t * t)), rel=1e-13)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_quantiles_of_one_and_two_degrees_of_freedom(p):
    assert student_quantile(p, 1.0) == pytest.approx(-1 / math.tan(math.pi * p), rel=1e-12)
    assert student_quantile(p, 2.0) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-12)


@pytest.mark.parametrize("df", [0.5, 1.5, 3.3, 9.7, 39.9, 40.1, 300.5, 1e4, 1e6])
def test_the_same_as_scipy(df):
    for t in (*VALUES, *(-t for t in VALUES)):
        assert student_probability(t, df) == pytest.approx(special.stdtr(df, t), rel=1e-10, abs=1e-290)
    for p in (*PROBABILITIES, *(1 - p for p in PROBABILITIES)):
        assert student_quantile(p, df) == pytest.approx(special.stdtrit(df, p), rel=1e-9)


def test_infinite_degrees_of_freedom_are_the_normal_distribution():
    for p in (*PROBABILITIES, 0.975):
        assert student_quantile(p, math.inf) == normal_quantile(p) == pytest.approx(special.ndtri(p), rel=1e-14)
    assert student_probability(-1.96, math.inf) == pytest.approx(special.ndtr(-1.96), rel=1e-14)


def test_quantiles_at_the_middle_and_the_ends():
    assert student_quantile(0.5, 7.0) == 0.0
    assert student_probability(0.0, 7.0) == 0.5
    assert student_probability(math.inf, 7.0) == 1.0
    assert student_probability(-math.inf, 7.0) == 0.0
    assert normal_quantile(0.0) < -38  # of the smallest positive number


def test_no_degrees_of_freedom_give_nan():
    assert math.isnan(student_quantile(0.975, math.nan))
    assert math.isnan(student_probability(1.0, math.nan))
