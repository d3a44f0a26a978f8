"""Holm's correction and ranks, against definitions and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from relattr.errors import BadInput
from relattr.statistics import average_ranks, holm
from relattr.statistics.ranks import studentised_range_quantile


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_what_stepping_down_rejects(p, alpha):
    order = sorted(range(len(p)), key=lambda i: p[i])
    rejected = set()
    for k, i in enumerate(order):
        if p[i] * (len(p) - k) > alpha:
            break
        rejected.add(i)
    adjusted = holm(p)
    assert {i for i, q in enumerate(adjusted) if q <= alpha} == rejected
    assert all(q >= v for q, v in zip(adjusted, p, strict=True))


def test_holm_refuses_what_is_no_p_value():
    assert holm([]) == []
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(BadInput, match="not a p-value"):
            holm([0.5, wrong])


def table(values):
    return {f"m{i}": {f"b{j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(values)}


def test_ranks_and_friedman_are_scipys():
    values = np.random.default_rng(0).integers(0, 6, (5, 12)) + np.arange(5)[:, None]
    found = average_ranks(table(values))
    want = stats.rankdata(-values, axis=0).mean(1)
    assert found.average == pytest.approx(sorted(want))
    chi, _ = stats.friedmanchisquare(*values)
    f = 11 * chi / (12 * 4 - chi)
    assert found.friedman_p == pytest.approx(stats.f.sf(f, 4, 44))


@pytest.mark.parametrize("k", [2, 5, 12, 60])
def test_range_quantile_is_scipys(k):
    assert studentised_range_quantile(0.95, k) == pytest.approx(stats.studentized_range.ppf(0.95, k, np.inf), rel=1e-5)


def test_demsars_critical_differences():
    # Demsar 2006, Table 5: q of 4 classifiers is 2.569; with 14 data sets the critical difference is 1.25
    values = np.random.default_rng(1).random((4, 14))
    assert average_ranks(table(values)).critical == pytest.approx(1.25, abs=0.005)


def test_groups_join_what_is_within_one_critical_difference():
    values = np.array([[9, 9, 9, 9, 9, 9, 9, 9], [1, 2, 3, 4, 1, 2, 3, 4], [4, 3, 2, 1, 4, 3, 2, 1]])
    found = average_ranks(table(values))
    assert found.methods[0] == "m0"
    assert found.groups == (("m1", "m2"),)


def test_missing_results_are_named_and_never_guessed():
    values = table(np.arange(12).reshape(3, 4))
    del values["m1"]["b2"]
    values["late"] = {"b0": 5.0}
    found = average_ranks(values)
    assert found.blocks == ("b0", "b1", "b3")
    assert "late" not in found.methods
    assert found.dropped == ("late: has 1 of 4 results", "b2: no result of m1")
    assert average_ranks({"m0": {"b0": 1.0, "b1": 2.0}}) is None
    assert average_ranks(table([[1], [2]])) is None
    assert average_ranks({}) is None


def test_all_tied_is_no_difference():
    found = average_ranks(table(np.ones((3, 5))))
    assert found.friedman_p == 1.0
    assert found.average == (2.0, 2.0, 2.0)
    assert found.groups == (("m0", "m1", "m2"),)
