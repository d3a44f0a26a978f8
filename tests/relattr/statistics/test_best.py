"""Comparison with the best method: Tukey's range, sums over pairs, and a plain simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.statistics import Design, LargestDifference, best, difference, difference_covariance, holm, range_loops


@pytest.mark.parametrize("k", [3, 5, 12])
def test_independent_methods_give_the_studentised_range(k):
    largest = LargestDifference(np.eye(k))
    for p in (0.0001, 0.002, 0.01, 0.05, 0.3):
        range_statistic = np.sqrt(2) * stats.norm.isf(p / 2)
        expected = stats.studentized_range.sf(range_statistic, k, np.inf)
        assert largest.adjusted_p(p) == pytest.approx(expected, abs=0.012, rel=0.1)


def test_two_methods_need_no_adjustment():
    assert LargestDifference(np.eye(2)).adjusted_p(0.0123) == 0.0123


def test_copies_of_a_method_do_not_count():
    """Ten methods with the same answers are one method."""
    factor = np.zeros((12, 3))
    factor[0, 0] = factor[1, 1] = 1
    factor[2:, 2] = 1
    with_copies = LargestDifference(factor @ factor.T)
    three = LargestDifference(np.eye(3))
    assert with_copies.adjusted_p(0.02) == pytest.approx(three.adjusted_p(0.02), abs=0.006)


def test_adjusted_p_lies_between_p_and_bonferroni():
    rng = np.random.default_rng(0)
    largest = LargestDifference(np.cov(rng.standard_normal((6, 30))))
    values = [largest.adjusted_p(p) for p in np.geomspace(1e-12, 1, 60)]
    for p, value in zip(np.geomspace(1e-12, 1, 60), values, strict=True):
        assert p <= value <= min(1, 15 * p) + 1e-12
    assert values == sorted(values)
    assert largest.adjusted_p(0.0) == 0.0


@pytest.mark.parametrize("p", [float("nan"), -0.1, 1.1])
def test_an_invalid_p_value_is_refused(p):
    with pytest.raises(BadInput, match="not a p-value"):
        LargestDifference(np.eye(3)).adjusted_p(p)


@pytest.mark.parametrize("covariance", [np.zeros((2, 3)), np.full((3, 3), np.nan), np.zeros(4)])
def test_an_invalid_covariance_is_refused(covariance):
    with pytest.raises(BadInput, match="finite square array"):
        LargestDifference(covariance)


@pytest.mark.parametrize("k", [3, 40])
def test_the_compiled_maxima_are_those_of_numpy(k):
    rng = np.random.default_rng(k)
    draws = rng.standard_normal((1000, k))
    factor = rng.standard_normal((k, 5))
    factor[2] = factor[0]  # two methods with the same answers
    inverse = best._inverse_deviations(factor)
    assert inverse[0, 2] == 0
    assert inverse[0, 1] == pytest.approx(1 / np.linalg.norm(factor[0] - factor[1]))
    compiled = range_loops.largest_differences(draws, inverse)
    np.testing.assert_array_equal(compiled, best._largest_differences(draws, inverse))


def judged(seed, pairs_of, n=60, k=4, noise=0.8):
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(n)
    left, right = pairs_of(n, rng)
    design = Design([(Pairs(left, right, np.sign(truth[left] - truth[right]).astype(np.int8)), None)])
    shared = rng.standard_normal(n)
    strengths = [truth + noise * (shared + rng.standard_normal(n)) for _ in range(k)]
    return design, [[design.judge(0, strengths=s)] for s in strengths]


def all_pairs(n, rng):
    return np.triu_indices(n, 1)


def disjoint_pairs(n, rng):
    return np.arange(0, n, 2), np.arange(1, n, 2)


@pytest.mark.parametrize(("pairs_of", "n"), [(all_pairs, 60), (disjoint_pairs, 4000)])
def test_covariance_gives_the_variances_of_all_differences(pairs_of, n):
    """Each difference has nearly the variance that `difference` estimates for it alone."""
    design, methods = judged(0, pairs_of, n)
    variances = [difference(design, methods[0], method).variance_images for method in methods]
    covariance = difference_covariance(design, methods, [[1.0]] * 4, variances_images=variances, best=0)
    for i, j in itertools.combinations(range(4), 2):
        alone = difference(design, methods[i], methods[j]).variance_images
        together = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        assert together == pytest.approx(alone, rel=0.1)


def test_variance_between_trainings_is_added():
    design, methods = judged(1, all_pairs)
    variances = [difference(design, methods[2], method).variance_images for method in methods]
    weights = [[1.0]] * 4
    without = difference_covariance(design, methods, weights, variances_images=variances, best=2)
    seeds = [0.0, 0.1, 0.2, 0.3]
    added = difference_covariance(design, methods, weights, variances_images=variances, best=2, variances_seeds=seeds)
    np.testing.assert_allclose(added - without, np.diag(seeds), atol=1e-12)


def test_equal_methods_seldom_lose_to_the_best():
    """The committed simulation (benchmarks/studies/best.py) in miniature: Holm's correction loses more often."""
    wrong_holm = wrong = 0
    times = 120
    for seed in range(times):
        design, methods = judged(seed, all_pairs, n=40, k=12)
        best = int(np.argmax([method[0].accuracy for method in methods]))
        differences = [difference(design, methods[best], method) for method in methods]
        covariance = difference_covariance(
            design, methods, [[1.0]] * 12, variances_images=[d.variance_images for d in differences], best=best
        )
        largest = LargestDifference(covariance)
        p = [d.p for m, d in enumerate(differences) if m != best]
        wrong_holm += min(holm(p)) < 0.05
        wrong += min(largest.adjusted_p(value) for value in p) < 0.05
    assert wrong < wrong_holm
    assert wrong / times < 0.12
