"""Numbers of methods are stored as what they are, or refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.method import Method
from relattr.real_numbers import as_real_array, is_storable_number


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.5],
        range(3),
        np.arange(3, dtype=np.float16),
        np.array([True, False]),
        np.array([2**53, -(2**53)]),
        np.array([Fraction(1, 4), Fraction(1, 2)]),
        np.ma.array([1.0, 2.0], mask=[False, False]),
        np.array([np.nan, np.inf]),
        [],
    ],
)
def test_real_numbers_are_floats_of_the_same_value(values: Any) -> None:
    array = as_real_array(values, "x")
    assert array.dtype == np.float64
    for converted, value in zip(array.tolist(), list(values), strict=True):
        assert converted == value or (math.isnan(converted) and math.isnan(value))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.array([2**53, 2**53 + 1]), "integers beyond 2**53"),
        (np.array([2**64 - 1, 2**64 - 2], np.uint64), "integers beyond 2**53"),
        (np.array([-(2**63)]), "integers beyond 2**53"),
        ([2**70, 2**70 + 1], "integers beyond 2**53"),
        (np.ones(3) * 1j, "the type complex128"),
        (np.ma.array([1.0, 2.0], mask=[True, False]), "masked values"),
        (["a", "b"], "real numbers"),
        ([object()], "not an array of real numbers"),
        (None, "not an array of real numbers"),
        ((k for k in range(3)), "not an array of real numbers"),
        ([[1], [2, 3]], "not an array of real numbers"),
        (np.array(["2020-01-01"], "datetime64[D]"), "the type datetime64"),
    ],
)
def test_other_values_are_refused(values: Any, problem: str) -> None:
    with pytest.raises(BadInput, match=r"^the strengths ") as error:
        as_real_array(values, "the strengths")
    assert problem in str(error.value)


def test_only_small_state_is_stored_in_results() -> None:
    class Learner(Method):
        pass

    learner = Learner()
    values = {"a_": 1.5, "b_": True, "c_": "short", "d_": 2**63 - 1, "e_": np.float32(0.5)}
    left_out = {"f_": math.nan, "g_": 2**63, "h_": "x" * 5000, "i_": [1], "j_": 10**400, "k_": None}
    vars(learner).update(values | left_out)
    assert learner.fitted_parameters() == values
    assert not is_storable_number("1")
