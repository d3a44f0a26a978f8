"""Value, gradient and Hessian product of the losses against loops over pairs."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.pairs import Pairs
from relattr.ranksvm import graph as graph_module
from relattr.ranksvm import logistic as logistic_module
from relattr.ranksvm import order as order_module
from relattr.ranksvm.estimator import RankSVM, pair_structure, pairwise_loss

C, C_SIMILAR = 0.7, 0.3


def reference(pairs: Pairs, s: np.ndarray, loss: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, gradient and Hessian, one pair at a time."""
    n = s.size
    value, g, h = 0.0, np.zeros(n), np.zeros((n, n))
    for i, j, label in zip(*pairs.arrays, strict=True):
        edge = np.zeros(n)
        if label == 0:
            edge[i], edge[j], m = 1, -1, s[i] - s[j]
            v, derivative, second = C_SIMILAR / 2 * m * m, C_SIMILAR * m, C_SIMILAR
        else:
            a, b = (i, j) if label > 0 else (j, i)
            edge[a], edge[b], m = 1, -1, s[a] - s[b]
            if loss == "squared_hinge":
                xi = max(0.0, 1 - m)
                v, derivative, second = C / 2 * xi * xi, -C * xi, C * (xi > 0)
            else:
                p = 1 / (1 + np.exp(m))
                v, derivative, second = C * np.log(1 + np.exp(-m)), -C * p, C * p * (1 - p)
        value, g, h = value + v, g + derivative * edge, h + second * np.outer(edge, edge)
    return value, g, h


def some_pairs(n: int, m: int, seed: int, similar: bool = True) -> Pairs:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    return Pairs(left, right, rng.integers(-1, 2, m) if similar else rng.choice([-1, 1], m))


def implied(n: int, levels: int, seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    return Pairs.all_of(rng.integers(0, levels, n) * 1.5, items=rng.permutation(n + 3)[:n], seed=seed)


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
@pytest.mark.parametrize("serial", [True, False])
@pytest.mark.parametrize(
    "pairs",
    [
        some_pairs(20, 200, 0),
        some_pairs(20, 150, 1, similar=False),
        some_pairs(40, 15, 2),
        implied(25, 6, 3),
        implied(25, 1000, 4),
        implied(25, 2, 5),
        implied(2, 1000, 6),
    ],
    ids=["dense", "no similar", "sparse", "six levels", "no ties", "two levels", "one pair"],
)
def test_equals_a_loop_over_pairs(loss: str, serial: bool, pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    if not serial:
        for module in (graph_module, logistic_module, order_module):
            monkeypatch.setattr(module, "_SERIAL", 0)
    n = 44
    fast = pairwise_loss(RankSVM(C, C_similar=C_SIMILAR, loss=loss), pair_structure(pairs, None, n))
    rng = np.random.default_rng(9)
    for scale, shift in ((0.0, 0.0), (0.5, 0.0), (3.0, 100.0)):
        s = rng.normal(size=n) * scale + shift
        value, g, h = reference(pairs, s, loss)
        got_value, got_g = fast.evaluate(s)
        assert got_value == pytest.approx(value, rel=1e-10)
        np.testing.assert_allclose(got_g, g, atol=1e-10)
        t = rng.normal(size=n)
        np.testing.assert_allclose(fast.curvature(s).apply(t), h @ t, atol=1e-5 if loss == "logistic" else 1e-10)


def test_pairs_exactly_on_the_margin_are_inactive() -> None:
    s = np.array([2.0, 1.0, 1.0, 0.0, 0.0])
    for pairs in (Pairs.all_of([3.0, 2.0, 2.0, 1.0, 1.0]), Pairs(*Pairs.all_of([3.0, 2.0, 2.0, 1.0, 1.0]).arrays)):
        fast = pairwise_loss(RankSVM(1.0), pair_structure(pairs, None, 5))
        value, g = fast.evaluate(s)
        assert value == 0.0
        assert not g.any()
        similar_only = np.array([0.0, 1.0, -1.0, 1.0, -1.0])
        np.testing.assert_array_equal(fast.curvature(s).apply(np.arange(5.0)), similar_only * [0, -1, -1, -1, -1])


def test_large_margins_do_not_overflow() -> None:
    pairs = Pairs.all_of([0.0, 1.0, 2.0])
    s = np.array([5000.0, 0.0, -5000.0])
    for p in (pairs, Pairs(*pairs.arrays)):
        value, g = pairwise_loss(RankSVM(1.0, loss="logistic"), pair_structure(p, None, 3)).evaluate(s)
        assert value == pytest.approx(20000.0)
        np.testing.assert_allclose(g, [2.0, 0.0, -2.0])


def test_more_than_65536_images() -> None:
    n = 70_000
    pairs = Pairs([69_999, 3, 66_000], [0, 69_998, 66_001], [1, -1, 0])
    s = np.linspace(0, 0.5, n)
    value, g = pairwise_loss(RankSVM(1.0), pair_structure(pairs, None, n)).evaluate(s)
    slack = 1 - (s[69_999] - s[0]), 1 - (s[69_998] - s[3])
    assert value == pytest.approx((slack[0] ** 2 + slack[1] ** 2 + (s[1] - s[0]) ** 2) / 2)
    assert set(np.flatnonzero(g)) == {0, 3, 66_000, 66_001, 69_998, 69_999}
