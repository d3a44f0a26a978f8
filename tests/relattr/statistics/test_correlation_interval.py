"""The interval of a mean of rank correlations: the jackknife by its definition, seeds, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.statistics import spearman
from relattr.statistics.correlation_interval import CorrelationSample, estimate_correlation, leave_one_out


def sample(test: str, strengths: NDArray[np.float64], scores: NDArray[np.float64]) -> CorrelationSample:
    return CorrelationSample(test, strengths, scores, np.arange(scores.size))


def draw(n: int, seed: int = 0, noise: float = 0.8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(n)
    return scores + noise * rng.standard_normal(n), scores


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_leaving_out_equals_computing_again(levels: int) -> None:
    rng = np.random.default_rng(levels)
    x, y = rng.integers(0, levels, (2, 40)).astype(float)
    expected = [spearman(np.delete(x, i), np.delete(y, i)) for i in range(40)]
    np.testing.assert_allclose(leave_one_out(x, y), np.array(expected, float), atol=1e-12)


def test_blocks_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = leave_one_out(*draw(50))
    monkeypatch.setattr("relattr.statistics.correlation_interval._BLOCK", 150)
    np.testing.assert_array_equal(leave_one_out(*draw(50)), whole)


def test_the_variance_of_one_sample_is_that_of_the_jackknife() -> None:
    x, y = draw(30)
    without = np.array([spearman(np.delete(x, i), np.delete(y, i)) for i in range(30)], float)
    estimate = estimate_correlation([sample("a", x, y)])
    assert estimate is not None
    assert estimate.value == spearman(x, y)
    assert estimate.variance_images == pytest.approx(29 / 30 * ((without - without.mean()) ** 2).sum())
    assert estimate.variance_seeds is None
    assert -1 < estimate.lower < estimate.value < estimate.upper < 1


def test_equal_samples_are_as_uncertain_as_one() -> None:
    x, y = draw(40)
    one, three = estimate_correlation([sample("a", x, y)]), estimate_correlation([sample("a", x, y)] * 3)
    assert one is not None
    assert three is not None
    assert three.variance_images == pytest.approx(one.variance_images)
    assert three.variance_seeds == 0.0
    assert (three.lower, three.upper) == pytest.approx((one.lower, one.upper))


def test_tests_on_other_images_are_independent() -> None:
    (a, b), (c, d) = draw(40, 1), draw(60, 2)
    first, second = sample("a", a, b), CorrelationSample("b", c, d, np.arange(100, 160))
    both, *each = (estimate_correlation(samples) for samples in ([first, second], [first], [second]))
    assert both is not None
    assert both.value == pytest.approx(sum(e.value for e in each if e) / 2)
    assert both.variance_images == pytest.approx(sum(e.variance_images for e in each if e) / 4)


def test_the_variance_between_seeds() -> None:
    scores = draw(50)[1]
    samples = [sample("a", scores + np.random.default_rng(k).standard_normal(50), scores) for k in range(3)]
    estimate = estimate_correlation(samples)
    values = [spearman(each.strengths, each.scores) for each in samples]
    assert estimate is not None
    assert estimate.value == pytest.approx(np.mean(np.array(values, float)))
    assert estimate.variance_seeds == pytest.approx(np.var(np.array(values, float), ddof=1) / 3)


def test_intervals_cover_the_true_correlation() -> None:
    """Of normal variables with correlation r, Spearman's correlation is 6/pi asin(r/2)."""
    truth = 6 / np.pi * np.arcsin(0.5 / np.sqrt(1 + 0.8**2))
    covered = 0
    for seed in range(300):
        estimate = estimate_correlation([sample("a", *draw(80, seed))])
        assert estimate is not None
        covered += estimate.lower <= truth <= estimate.upper
    assert 0.91 <= covered / 300 <= 0.99


def test_undefined_correlations() -> None:
    constant, scores = np.ones(5), np.arange(5.0)
    assert estimate_correlation([sample("a", constant, scores)]) is None
    assert estimate_correlation([sample("a", scores, scores), sample("b", constant, scores)]) is None
    assert estimate_correlation([sample("a", scores, scores)]) is None  # 1, whose variance is 0 whatever the sample
    assert estimate_correlation([sample("a", np.eye(5)[0], scores)]) is None  # constant without the first image
    assert np.isnan(leave_one_out(np.arange(2.0), np.arange(2.0))).all()
    with pytest.raises(BadInput, match="no sample"):
        estimate_correlation([])
