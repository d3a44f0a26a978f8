"""The pseudo-random order is a permutation; parts of it equal slices of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from relattr.sampling import permuted, random_bits

SIZES = [
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    9,
    10,
    15,
    16,
    17,
    25,
    49,
    97,
    100,
    101,
    121,
    127,
    128,
    997,
    1023,
    1024,
    1025,
    9973,
    10_000,
]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_the_order_is_a_permutation(n, seed):
    np.testing.assert_array_equal(np.sort(permuted(0, n, n, seed)), np.arange(n))


@given(st.integers(1, 3000), st.integers(0, 2**63 - 1), st.data())
def test_a_part_equals_a_slice_of_the_permutation(n, seed, data):
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    np.testing.assert_array_equal(permuted(start, stop, n, seed), permuted(0, n, n, seed)[start:stop])


def test_a_part_of_a_huge_range_is_distinct_and_in_range():
    n = 2_300_000 * 2_299_999 // 2
    drawn = permuted(10**12, 10**12 + 50_000, n, 7)
    assert np.unique(drawn).size == drawn.size
    assert drawn.min() >= 0
    assert drawn.max() < n


@pytest.mark.parametrize("n", [2, 3, 7, 30])
def test_every_first_value_is_equally_likely(n):
    first = [int(permuted(0, 1, n, seed)[0]) for seed in range(200 * n)]
    assert chisquare(np.bincount(first, minlength=n)).pvalue > 1e-3


def test_neighbours_in_the_order_are_uncorrelated():
    order = permuted(0, 100_000, 100_000, 11).astype(float)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 4 / np.sqrt(order.size)
    assert abs(np.corrcoef(order, np.arange(order.size))[0, 1]) < 4 / np.sqrt(order.size)


@pytest.mark.parametrize(("start", "stop", "n"), [(-1, 0, 3), (2, 1, 3), (0, 4, 3), (0, 1, 2**62)])
def test_a_part_outside_the_range_raises(start, stop, n):
    with pytest.raises(ValueError, match="0 <= start <= stop <= n"):
        permuted(start, stop, n, 0)


def test_bits_are_fair_and_independent_of_other_indices():
    index = np.arange(100_000)
    bits = random_bits(index, 5)
    assert abs(bits.mean() - 0.5) < 4 * 0.5 / np.sqrt(bits.size)
    np.testing.assert_array_equal(random_bits(index[::-7], 5), bits[::-7])
    assert abs((random_bits(index, 6) == bits).mean() - 0.5) < 4 * 0.5 / np.sqrt(bits.size)
