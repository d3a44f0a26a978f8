"""LLC codes against a dense constrained least-squares solve, one descriptor at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from relattr.errors import BadInput
from relattr.features.llc import encode_llc

Array = npt.NDArray[np.floating]


def data(n: int, m: int, d: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.random((n, d), dtype=np.float32), rng.random((m, d), dtype=np.float32)


def reference_code(x: Array, words: Array, k: int, beta: float) -> Array:
    """min |x - B'w|^2 + beta tr(C) |w|^2 subject to sum(w) = 1, by its KKT system, as a dense code."""
    x, words = x.astype(np.float64), words.astype(np.float64)
    nearest = sorted(range(len(words)), key=lambda j: float(np.sum((words[j] - x) ** 2)))[:k]
    b = words[nearest]
    trace = sum(float(np.sum((row - x) ** 2)) for row in b)
    system = np.zeros((k + 1, k + 1))
    system[:k, :k] = 2 * (b @ b.T + beta * trace * np.eye(k))
    system[:k, k] = system[k, :k] = 1
    solution = np.linalg.solve(system, np.append(2 * b @ x, 1.0))
    code = np.zeros(len(words))
    code[nearest] = solution[:k]
    return code


def dense(indices: npt.NDArray[np.int32], weights: Array, m: int) -> Array:
    codes = np.zeros((len(indices), m))
    np.put_along_axis(codes, indices.astype(np.int64), weights, axis=1)
    return codes


@pytest.mark.parametrize(
    ("n", "m", "d", "k", "beta"),
    [
        (61, 256, 124, 3, 0.03),
        (30, 64, 279, 5, 0.03),
        (9, 7, 5, 7, 0.5),
        (3, 10, 1, 2, 1e-3),
        (1, 4, 6, 1, 0.03),
        (20, 40, 6, 4, 1e-6),
    ],
)
def test_codes_equal_a_dense_constrained_solve(n: int, m: int, d: int, k: int, beta: float) -> None:
    x, words = data(n, m, d)
    indices, weights = encode_llc(x, words, k, beta)
    assert indices.shape == weights.shape == (n, k)
    expected = np.stack([reference_code(row, words, k, beta) for row in x])
    np.testing.assert_allclose(dense(indices, weights, m), expected, atol=2e-5)


def test_codes_sum_to_one_with_three_different_words() -> None:
    x, words = data(500, 256, 124)
    indices, weights = encode_llc(x, words)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert weights.all()
    assert all(len(set(row)) == 3 for row in indices.tolist())


def test_codes_can_be_negative() -> None:
    # Left of three words on a line, the farthest is subtracted.
    indices, weights = encode_llc([[-1.0]], [[0.0], [1.0], [2.0], [9.0]])
    assert indices.tolist() == [[0, 1, 2]]
    assert weights[0, 2] < 0 < weights[0, 0]


def test_nearest_first_and_ties_to_the_lower_index() -> None:
    indices, _ = encode_llc([[0.0, 0.0]], [[3.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.5, 0.0]])
    assert indices.tolist() == [[4, 1, 2]]
    indices, _ = encode_llc([[0.0, 0.0]], [[0.5, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert indices.tolist() == [[0, 1, 2]]


def test_a_descriptor_equal_to_all_its_words() -> None:
    words = np.ones((4, 6))
    words[3] = 0
    indices, weights = encode_llc(np.ones((1, 6)), words)
    assert indices.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(weights, 1 / 3, rtol=1e-6)


def test_scale_does_not_matter() -> None:
    x, words = data(40, 32, 12)
    small, big = encode_llc(x * 2.0**-30, words * 2.0**-30), encode_llc(x, words)
    np.testing.assert_array_equal(small[0], big[0])
    np.testing.assert_allclose(small[1], big[1], atol=1e-6)


def test_codes_do_not_depend_on_the_rest_of_the_batch() -> None:
    x, words = data(23, 256, 124)
    indices, weights = encode_llc(x, words)
    for rows in (slice(0, 1), slice(5, 18), slice(22, 23), slice(None, None, -1)):
        some_indices, some_weights = encode_llc(x[rows], words)
        np.testing.assert_array_equal(some_indices, indices[rows])
        np.testing.assert_array_equal(some_weights, weights[rows])


def test_no_descriptors() -> None:
    indices, weights = encode_llc(np.empty((0, 5)), np.eye(5))
    assert indices.shape == weights.shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "words", "k", "beta", "message"),
    [
        (np.ones((2, 5)), np.ones((4, 6)), 3, 0.03, r"must be \(n, d\) and \(m, d\)"),
        (np.ones(5), np.ones((4, 5)), 3, 0.03, r"must be \(n, d\) and \(m, d\)"),
        (np.ones((2, 5)), np.ones((4, 5)), 5, 0.03, "k is 5"),
        (np.ones((2, 5)), np.ones((4, 5)), 0, 0.03, "k is 0"),
        (np.ones((2, 5)), np.ones((4, 5)), 3, 0.0, "beta is 0"),
        (np.ones((2, 5)), np.ones((4, 5)), 3, float("nan"), "beta is nan"),
        (np.full((2, 5), np.nan), np.ones((4, 5)), 3, 0.03, "descriptors contain values that are not finite"),
        (np.full((2, 5), 1e20), np.ones((4, 5)), 3, 0.03, r"descriptors.*above 1e\+15"),
        (np.ones((2, 5)), np.full((4, 5), np.inf), 3, 0.03, "words contain values that are not finite"),
    ],
)
def test_bad_input(x: Array, words: Array, k: int, beta: float, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        encode_llc(x, words, k, beta)
