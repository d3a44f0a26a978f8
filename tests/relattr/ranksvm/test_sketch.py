"""The preconditioner: its directions, the steps it saves, and unchanged results."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM, sketch
from relattr.ranksvm.graph import PairGraph, SquaredHingeLoss
from relattr.ranksvm.sketch import Sketch, make_sketch


def correlated(n: int, d: int, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Features with principal variances proportional to 1/k, not centred; and strengths."""
    rng = np.random.default_rng(5)
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    x = 3.0 + rng.normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1)) @ rotation
    return x.astype(dtype), x @ rng.normal(size=d) + rng.normal(size=n)


def test_directions_are_the_leading_principal_ones() -> None:
    x, _ = correlated(600, 300)
    sketch_ = Sketch(x)
    np.testing.assert_allclose(sketch_.vectors @ sketch_.vectors.T, np.eye(64), atol=1e-5)
    true = np.linalg.eigvalsh(np.cov(x.astype(np.float64), rowvar=False, bias=True))[::-1]
    assert sketch_.variances[:3] == pytest.approx(true[:3], rel=0.02)
    assert (np.diff(sketch_.variances) <= 0).all()
    assert sketch_.variances.sum() > 0.9 * true[:64].sum()


def test_the_trace_is_that_of_the_laplacian() -> None:
    x, strengths = correlated(600, 300)
    pairs = Pairs.from_scores(strengths, count=20_000, seed=1)
    graph = PairGraph(*pairs.arrays, 600)
    loss = SquaredHingeLoss(graph, 0.3, 0.3)
    start = np.zeros(600)
    loss.evaluate(start)
    sketch_ = Sketch(x)
    trace = 0.3 * 2 * len(pairs)  # at w = 0 every pair is inside the margin, and adds C for each of its images
    expected = 1.0 + trace * sketch_.variances
    result = sketch_.inverse(loss.curvature(start), 600)
    np.testing.assert_allclose(result, expected[-1] / expected - 1.0, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_fewer_steps_to_the_same_minimum(monkeypatch: pytest.MonkeyPatch, explicit: bool, loss: str) -> None:
    x, strengths = correlated(700, 300)
    pairs = Pairs.from_scores(strengths, count=5000, seed=2) if explicit else Pairs.all_of(strengths)
    c = 1.0 if explicit else 0.01
    plain = RankSVM(c, loss=loss, tol=1e-8).fit(x, pairs)
    monkeypatch.setattr(sketch, "_MIN_SIZE", 0)
    preconditioned = RankSVM(c, loss=loss, tol=1e-8).fit(x, pairs)
    assert preconditioned.objective_ == pytest.approx(plain.objective_, rel=1e-8)
    assert preconditioned.n_cg_ < 0.75 * plain.n_cg_


def test_low_rank_and_small_features(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_sketch(np.ones((300, 300))) is None
    monkeypatch.setattr(sketch, "_MIN_SIZE", 0)
    assert make_sketch(np.ones((200, 300))) is None
    x, strengths = correlated(400, 300, np.float64)
    x[:, 5:] = 0.0  # rank 5: the other directions have no variance
    sketch_ = make_sketch(x)
    assert sketch_ is not None
    assert np.isfinite(sketch_.vectors).all()
    assert sketch_.variances[5:] == pytest.approx(0.0, abs=1e-9)
    pairs = Pairs.from_scores(strengths, count=2000, seed=3)
    preconditioned = RankSVM(1.0, tol=1e-9).fit(x, pairs)
    assert preconditioned.objective_ == pytest.approx(RankSVM(1.0, tol=1e-9).fit(x[:, :5], pairs).objective_, rel=1e-8)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_named(monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    monkeypatch.setattr(sketch, "_MIN_SIZE", 0)
    x, strengths = correlated(400, 300)
    x[7, 11] = bad
    with pytest.raises(BadInput, match=r"X\[7, 11\]"):
        RankSVM().fit(x, Pairs.from_scores(strengths, count=2000))
