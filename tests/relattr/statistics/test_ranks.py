"""Holm's correction and average ranks against their definitions and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from relattr.errors import BadInput
from relattr.statistics import average_ranks, holm
from relattr.statistics.ranks import studentised_range_quantile


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_holm_equals_the_step_down_procedure(p, alpha):
    order = sorted(range(len(p)), key=lambda i: p[i])
    rejected = set()
    for k, i in enumerate(order):
        if p[i] * (len(p) - k) > alpha:
            break
        rejected.add(i)
    adjusted = holm(p)
    assert {i for i, q in enumerate(adjusted) if q <= alpha} == rejected
    assert all(q >= v for q, v in zip(adjusted, p, strict=True))


def test_holm_refuses_invalid_p_values():
    assert holm([]) == []
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(BadInput, match="not a p-value"):
            holm([0.5, wrong])


def table(values):
    return {f"m{i}": {f"b{j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(values)}


def test_ranks_and_friedman_equal_scipy():
    values = np.random.default_rng(0).integers(0, 6, (5, 12)) + np.arange(5)[:, None]
    ranks = average_ranks(table(values))
    want = stats.rankdata(-values, axis=0).mean(1)
    assert ranks.average == pytest.approx(sorted(want))
    chi, _ = stats.friedmanchisquare(*values)
    f = 11 * chi / (12 * 4 - chi)
    assert ranks.friedman_p == pytest.approx(stats.f.sf(f, 4, 44))


@pytest.mark.parametrize(("k", "quantile"), [(2, 2.772), (3, 3.314), (5, 3.858), (10, 4.474), (20, 5.012)])
def test_studentised_range_equals_published_tables(k, quantile):
    assert studentised_range_quantile(0.95, k) == pytest.approx(quantile, abs=1e-3)


@pytest.mark.parametrize("k", [2, 5, 12])
def test_studentised_range_is_that_of_normal_samples(k):
    """Against the integral of the distribution function of the range of k independent normal variables."""
    z = np.linspace(-9.0, 9.0, 4001)
    quantile = studentised_range_quantile(0.95, k)
    below = k * np.trapezoid(stats.norm.pdf(z) * (stats.norm.cdf(z) - stats.norm.cdf(z - quantile)) ** (k - 1), z)
    assert below == pytest.approx(0.95, abs=1e-6)


def test_demsars_critical_differences():
    # Demsar 2006, Table 5: q of 4 classifiers is 2.569; with 14 data sets the critical difference is 1.25
    values = np.random.default_rng(1).random((4, 14))
    assert average_ranks(table(values)).critical == pytest.approx(1.25, abs=0.005)


def test_groups_are_within_one_critical_difference():
    values = np.array([[9, 9, 9, 9, 9, 9, 9, 9], [1, 2, 3, 4, 1, 2, 3, 4], [4, 3, 2, 1, 4, 3, 2, 1]])
    ranks = average_ranks(table(values))
    assert ranks.methods[0] == "m0"
    assert ranks.groups == (("m1", "m2"),)


def test_missing_results_are_reported_not_imputed():
    values = table(np.arange(12).reshape(3, 4))
    del values["m1"]["b2"]
    values["late"] = {"b0": 5.0}
    ranks = average_ranks(values)
    assert ranks.blocks == ("b0", "b1", "b3")
    assert "late" not in ranks.methods
    assert ranks.dropped == ("late: has 1 of 4 results", "b2: no result of m1")
    assert average_ranks({"m0": {"b0": 1.0, "b1": 2.0}}) is None
    assert average_ranks(table([[1], [2]])) is None
    assert average_ranks({}) is None


def test_ties_everywhere_are_no_difference():
    ranks = average_ranks(table(np.ones((3, 5))))
    assert ranks.friedman_p == 1.0
    assert ranks.average == (2.0, 2.0, 2.0)
    assert ranks.groups == (("m0", "m1", "m2"),)
