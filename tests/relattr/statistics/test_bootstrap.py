"""The bootstrap compared with a plain loop: resample images and evaluate the pairs among them."""

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.statistics import Design, bootstrap, estimate_accuracy
from relattr.statistics import design as design_module
from relattr.statistics.bootstrap import draw_counts, weighted_counts


def literal_loop(pairs, strengths, counts):
    """Correct and ordered pairs of each replicate, pair by pair."""
    sums = []
    for row in counts:
        hits = total = 0
        for left, right, label in zip(*pairs.arrays, strict=True):
            if label == 0:
                continue
            times = int(row[left]) * int(row[right])
            total += times
            if (strengths[left] > strengths[right] and label == 1) or (
                strengths[left] < strengths[right] and label == -1
            ):
                hits += times
        sums.append((hits, total))
    return np.array(sums).T


def some_pairs(rng, n, m):
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    return Pairs(left, right, rng.integers(-1, 2, m))


@pytest.mark.parametrize(("n", "m"), [(5, 8), (30, 200), (40, 2000), (300, 60)])
def test_sums_equal_the_literal_loop_exactly(n, m):
    rng = np.random.default_rng(n + m)
    pairs, strengths = some_pairs(rng, n, m), rng.integers(0, 6, n).astype(float)
    strengths = strengths + 0.0
    design = Design([(pairs, np.arange(n))])
    numbers = np.flatnonzero(
        np.isin(np.arange(n), np.concatenate([pairs.left[pairs.label != 0], pairs.right[pairs.label != 0]]))
    )
    counts = draw_counts(design.n_images, 150, seed=1)
    all_counts = np.zeros((150, n), np.int64)
    all_counts[:, numbers] = counts
    hits, totals = weighted_counts(design, design.judge(0, strengths=strengths), counts)
    assert np.array_equal([hits, totals], literal_loop(pairs, strengths, all_counts))


@pytest.mark.parametrize("most", [3, 40, 300])
def test_sums_are_exact_for_large_weights(most):
    rng = np.random.default_rng(most)
    pairs, strengths = some_pairs(rng, 50, 1500), rng.standard_normal(50)
    design = Design([(pairs, None)])
    counts = rng.integers(0, most + 1, (7, 50)).astype(np.int16)
    counts[0] = most
    sums = weighted_counts(design, design.judge(0, strengths=strengths), counts)
    assert np.array_equal(sums, literal_loop(pairs, strengths, counts))


def test_implied_pairs_equal_explicit_ones(monkeypatch):
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 9, 60).astype(float)
    strengths = rng.integers(0, 20, 60).astype(float)
    pairs = Pairs.all_of(truth, seed=5)
    counts = draw_counts(60, 200, seed=2)
    listed = Design([(pairs, None)])
    assert not listed.implied
    want = weighted_counts(listed, listed.judge(0, strengths=strengths), counts)
    monkeypatch.setattr(design_module, "IMPLIED_FROM", 1)
    implied = Design([(pairs, None)])
    assert implied.implied
    judged = implied.judge(0, strengths=strengths)
    assert np.array_equal(weighted_counts(implied, judged, counts), want)
    assert bootstrap(implied, [judged], replicates=200, seed=2).value == judged.accuracy


def test_draws_are_multinomial_and_reproducible():
    counts = draw_counts(37, 500, seed=4)
    assert (counts.sum(1) == 37).all()
    assert np.array_equal(counts, draw_counts(37, 500, seed=4))
    assert not np.array_equal(counts, draw_counts(37, 500, seed=5))
    # multinomial: mean 1, variance 1 - 1/n
    assert abs(counts.mean() - 1) < 1e-12
    assert abs(counts.var() - (1 - 1 / 37)) < 0.05


def test_bootstrap_variance_equals_its_closed_form():
    """The plain bootstrap tends to sum S^2 + sum q^2; the interval's variance is sum S^2 - sum q^2."""
    rng = np.random.default_rng(8)
    pairs = some_pairs(rng, 400, 250)
    truth_like = rng.standard_normal(400)
    design = Design([(pairs, None)])
    judged = design.judge(0, strengths=truth_like)
    drawn = bootstrap(design, [judged], replicates=20_000)
    estimate = estimate_accuracy(design, [judged])
    variance = drawn.replicates.var() * drawn.shrink**2
    n = design.n_images
    assert variance == pytest.approx(estimate.variance_images / (n * (n - 1) / (n - 2) ** 2), rel=0.06)
    # pairs that share few images: the plain bootstrap variance is nearly three times too large
    assert 2.2 < 1 / drawn.shrink**2 <= 3.0


def test_calibrated_interval_is_near_the_analytic_one():
    rng = np.random.default_rng(9)
    truth = rng.standard_normal(150)
    pairs = Pairs.from_scores(truth, count=3000, seed=1)
    design = Design([(pairs, None)])
    judged = design.judge(0, strengths=truth + 0.8 * rng.standard_normal(150))
    lower, upper = bootstrap(design, [judged], replicates=4000).interval()
    analytic = estimate_accuracy(design, [judged])
    assert lower == pytest.approx(analytic.lower, abs=0.008)
    assert upper == pytest.approx(analytic.upper, abs=0.008)


def test_a_replicate_without_pairs_has_the_test_accuracy():
    pairs = Pairs([0], [1], [1])
    design = Design([(pairs, None)])
    drawn = bootstrap(design, [design.judge(0, strengths=np.array([1.0, 0.0]))], replicates=50)
    assert (drawn.replicates == 1.0).all()


def test_too_few_replicates_are_refused():
    design = Design([(Pairs([0], [1], [1]), None)])
    with pytest.raises(BadInput, match="at least 2"):
        bootstrap(design, [design.judge(0, strengths=np.zeros(2))], replicates=1)
