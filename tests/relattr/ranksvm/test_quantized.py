"""Features of 8 bits: their rounding, their products, and fits that do not depend on them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM, newton, products
from relattr.ranksvm.quantized import QuantizedFeatures


def rounded(x: np.ndarray) -> np.ndarray:
    """Each feature rounded to 255 evenly spaced values, its smallest value subtracted."""
    wide = x.astype(np.float64)
    low, high = wide.min(0), wide.max(0)
    step = (high - low) / 254
    return np.round((wide - low) / np.where(step > 0, step, 1.0)) * step


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (8, 5), (131, 33), (1030, 65)])
def test_products_equal_those_of_rounded_values(shape: tuple[int, int], dtype: type) -> None:
    rng = np.random.default_rng(0)
    # multiples of a step, so that no value lies half-way between two roundings
    multiples = rng.integers(0, 255, shape)
    multiples[0], multiples[-1] = 0, 254
    x: np.ndarray[Any, Any] = (multiples * 0.25 * 2.0 ** rng.integers(-9, 9, shape[1]) - 7.0).astype(dtype)
    quantized = QuantizedFeatures(x)
    v, u = rng.normal(size=(3, shape[1])), rng.normal(size=(3, shape[0]))
    expected = rounded(x)
    scale = np.abs(expected).sum()
    np.testing.assert_allclose(quantized.matmat(v), v @ expected.T, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(quantized.rmatmat(u), u @ expected, rtol=0, atol=1e-5 * scale)


def test_values_are_at_most_half_a_step_away() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 40)) * np.logspace(-6, 6, 40) + 100.0
    quantized = QuantizedFeatures(x)
    value = quantized.bytes * quantized.steps + x.min(0)
    assert (np.abs(value - x) <= 0.501 * quantized.steps).all()
    np.testing.assert_allclose(quantized.steps, (x.max(0) - x.min(0)) / 254)


def test_features_without_a_usable_range_are_left_out() -> None:
    x = np.ones((20, 4), np.float32)
    x[:, 1] = np.linspace(0.0, 1e-42, 20)  # subnormal
    x[:, 2] = np.linspace(-1e38, 1e38, 20)
    x[:, 3] = np.arange(20)
    quantized = QuantizedFeatures(x)
    assert quantized.steps.astype(bool).tolist() == [False, False, True, True]
    weights = np.zeros((1, 20))
    weights[0, [3, 9]] = -1.0, 1.0
    product = quantized.rmatmat(weights)
    assert np.isfinite(product).all()
    assert product[0, 3] == pytest.approx(6.0, rel=0.02)
    assert quantized.matmat(np.zeros((2, 4))).tolist() == np.zeros((2, 20)).tolist()


def features_and_pairs() -> tuple[np.ndarray, Pairs]:
    rng = np.random.default_rng(5)
    x = np.maximum(rng.normal(size=(600, 40)) @ rng.normal(size=(40, 280)), 0.0)
    x = (0.1 * x + 0.05 * rng.normal(size=x.shape)).astype(np.float32)
    return x, Pairs.from_scores(x @ rng.normal(size=280) + rng.normal(size=600), count=5000, seed=2)


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_same_minimum_with_fewer_passes(
    monkeypatch: pytest.MonkeyPatch, loss: Literal["squared_hinge", "logistic"]
) -> None:
    x, pairs = features_and_pairs()
    passes: list[str] = []
    for name in ("matmat", "exact_matmat", "rmatmat"):

        def counting(
            self: products.PrimalSpace, vectors: list[np.ndarray], product: object = getattr(products.PrimalSpace, name)
        ) -> list[np.ndarray]:
            passes.append("")
            return product(self, vectors)  # type: ignore[operator]

        monkeypatch.setattr(products.PrimalSpace, name, counting)
    exact = RankSVM(1.0, loss=loss, tol=1e-9).fit(x, pairs)
    of_exact = len(passes)
    passes.clear()
    monkeypatch.setattr(products, "_ROUNDED", 0)
    fast = RankSVM(1.0, loss=loss, tol=1e-9).fit(x, pairs)
    assert fast.converged_
    assert fast.objective_ == pytest.approx(exact.objective_, rel=1e-8)
    np.testing.assert_allclose(fast.coef_, exact.coef_, atol=1e-3 * np.abs(exact.coef_).max())
    assert len(passes) < 0.5 * of_exact
    again = RankSVM(1.0, loss=loss, tol=1e-9).fit(x, pairs)
    np.testing.assert_array_equal(again.coef_, fast.coef_)


def test_features_that_bytes_misrepresent(monkeypatch: pytest.MonkeyPatch) -> None:
    # one outlier in each feature leaves a single byte for all other values: the exact features must take over
    x, pairs = features_and_pairs()
    x = np.concatenate([x, np.full((1, 280), 1e4, np.float32)])
    left, right, label = pairs.arrays
    pairs = Pairs(np.append(left, 600), np.append(right, 0), np.append(label, 1))
    exact = RankSVM(1.0, tol=1e-9).fit(x, pairs)
    monkeypatch.setattr(products, "_ROUNDED", 0)
    model = RankSVM(1.0, tol=1e-9).fit(x, pairs)
    assert model.converged_
    assert model.n_newton_ <= newton._ROUNDED_STEPS + exact.n_newton_ + 2
    assert model.objective_ == pytest.approx(exact.objective_, rel=1e-8)
