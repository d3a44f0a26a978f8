"""X v and X' u compared with NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.ranksvm import products
from relattr.ranksvm.products import GramSpace, PrimalSpace, choose_space, matvec, rmatvec


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (8, 5), (131, 33), (1030, 300), (4097, 65)])
def test_products_of_float64_arrays(shape: tuple[int, int], dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=shape) + 50).astype(dtype)
    v, u = rng.normal(size=shape[1]), rng.normal(size=shape[0])
    np.testing.assert_allclose(matvec(x, v), x.astype(np.float64) @ v, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rmatvec(x, u), x.T.astype(np.float64) @ u, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 24, 25, 40])
def test_several_vectors_equal_numpy(count: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 60))
    points = list(rng.normal(size=(count, 60)))
    images = list(rng.normal(size=(count, 50)))
    space = PrimalSpace(x)
    np.testing.assert_allclose(space.matmat(points), np.array(points) @ x.T)
    np.testing.assert_allclose(space.rmatmat(images), np.array(images) @ x)
    gram = GramSpace(x)
    centred = x - x.mean(0)
    np.testing.assert_allclose(gram.matmat(images), np.array(images) @ centred @ centred.T, atol=1e-9)


def test_non_finite_rows_show_with_zero_weights() -> None:
    x = np.ones((9, 5))
    x[7, 2] = np.nan
    x[3, 1] = -np.inf
    assert np.flatnonzero(~np.isfinite(matvec(x, np.zeros(5)))).tolist() == [3, 7]


@pytest.mark.parametrize("n", [1, 5, 8, 13, 20, 131, 1030])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_equal_rows_have_equal_scores(n: int, count: int) -> None:
    rng = np.random.default_rng(3)
    x = np.tile(rng.normal(size=1100), (n, 1)).astype(np.float32)
    for scores in products.matmat(x, rng.normal(size=(count, 1100))):
        assert np.unique(scores).size == 1


def test_the_smaller_space_is_chosen() -> None:
    assert isinstance(choose_space(np.ones((20, 30)), 1), GramSpace)
    assert isinstance(choose_space(np.ones((30, 30)), 1), PrimalSpace)
    assert isinstance(choose_space(np.ones((2100, 2200), np.float32), 1), PrimalSpace)


def test_results_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setattr(products, "_SMALL", 0)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3000, 40)).astype(np.float32)
    v, u = rng.normal(size=40), rng.normal(size=3000)
    before = numba.get_num_threads()
    try:
        results = []
        for threads in {1, before}:
            numba.set_num_threads(threads)
            results.append((matvec(x, v), rmatvec(x, u)))
    finally:
        numba.set_num_threads(before)
    for a, b in results[1:]:
        np.testing.assert_array_equal(a, results[0][0])
        np.testing.assert_array_equal(b, results[0][1])
