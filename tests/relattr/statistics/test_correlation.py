"""Spearman's correlation against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.statistics import spearman


def reference(x: list[float], y: list[float]) -> float:
    """Pearson's correlation of average ranks, computed by counting."""

    def ranks(values: list[float]) -> list[float]:
        return [sum(v < w for v in values) + (sum(v == w for v in values) + 1) / 2 for w in values]

    a, b = ranks(x), ranks(y)
    mean = (len(a) + 1) / 2
    over = sum((p - mean) * (q - mean) for p, q in zip(a, b, strict=True))
    return over / (sum((p - mean) ** 2 for p in a) * sum((q - mean) ** 2 for q in b)) ** 0.5


@pytest.mark.parametrize("levels", [3, 10, 10**6])
def test_equals_the_definition(levels: int) -> None:
    rng = np.random.default_rng(levels)
    x, y = rng.integers(0, levels, (2, 60)).astype(float)
    assert spearman(x, y) == pytest.approx(reference(x.tolist(), y.tolist()), abs=1e-12)
    assert spearman(x, x + 0.1 * y) == pytest.approx(reference(x.tolist(), (x + 0.1 * y).tolist()), abs=1e-12)


def test_depends_on_the_order_only() -> None:
    x = np.array([3.0, 1.0, 2.0, 9.0])
    assert spearman(x, x**3) == 1.0  # invariant under monotone transformations
    assert spearman(x, -x) == -1.0
    assert spearman(x.astype(np.float32), np.arange(4)) == spearman(np.arange(4.0), x)


def test_an_undefined_correlation_is_none() -> None:
    assert spearman(np.ones(3), np.arange(3)) is None
    assert spearman(np.arange(3.0), np.ones(3)) is None
    assert spearman(np.zeros(1), np.zeros(1)) is None
    assert spearman(np.zeros(0), np.zeros(0)) is None


def test_arrays_without_ranks_are_refused() -> None:
    with pytest.raises(BadInput, match="one-dimensional and of equal length"):
        spearman(np.zeros(3), np.zeros(4))
    with pytest.raises(BadInput, match="NaN"):
        spearman(np.array([0.0, np.nan]), np.arange(2))
