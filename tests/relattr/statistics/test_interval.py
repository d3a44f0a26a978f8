"""Accuracy and difference against sums over pairs of pairs, and against literal resampling."""

import itertools

import numpy as np
import pytest
from scipy import stats

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.statistics import Design, difference, estimate_accuracy, pairs_interval
from relattr.statistics import design as design_module
from relattr.statistics.interval import residuals, variance_of_seeds


def covariance_sum(pairs, values):
    """The sum of ``v_e v_f`` over all pairs e, f of images that share one, in a double loop."""
    total = 0.0
    sets = [frozenset(p) for p in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)]
    for (a, x), (b, y) in itertools.product(zip(sets, values, strict=True), repeat=2):
        if a & b:
            total += x * y
    return total


def world(seed, n=40, m=120, noise=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(n)
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    pairs = Pairs(left, right, np.sign(truth[left] - truth[right]).astype(np.int8))
    return pairs, truth + noise * rng.standard_normal(n), truth + noise * rng.standard_normal(n)


def factor(n):
    return n * (n - 1) / (n - 2) ** 2


@pytest.mark.parametrize("seed", range(4))
def test_variance_sums_covariances_of_pairs_that_share_images(seed):
    pairs, strengths, _ = world(seed)
    design = Design([(pairs, None)])
    judged = design.judge(0, strengths=strengths)
    each = (judged.correct - judged.accuracy) / len(pairs)
    both = covariance_sum(pairs, each)
    assert both > 0
    single = sum(
        each[[frozenset(p) == d for p in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)]].sum() ** 2
        for d in {frozenset(p) for p in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)}
    )
    want = max(factor(design.n_images) * (both + single) - single, single)
    assert estimate_accuracy(design, [judged]).variance_images == pytest.approx(want, rel=1e-9)


def test_attributes_of_the_same_images_are_dependent():
    """A repeated attribute adds no information: the interval is that of one."""
    pairs, strengths, _ = world(1, n=60, m=300)
    once = Design([(pairs, None)])
    twice = Design([(pairs, None), (pairs, None)])
    apart = Design([(pairs, None), (pairs, np.arange(60) + 1000)])
    one = estimate_accuracy(once, [once.judge(0, strengths=strengths)])
    same = estimate_accuracy(twice, [twice.judge(k, strengths=strengths) for k in range(2)])
    other = estimate_accuracy(apart, [apart.judge(k, strengths=strengths) for k in range(2)])
    assert same.variance_images == pytest.approx(one.variance_images, rel=1e-9)
    assert other.variance_images == pytest.approx(one.variance_images / 2, rel=0.05)
    assert (same.n_ordered, other.n_images) == (600, 2 * one.n_images)


def test_agrees_with_resampling_images_literally():
    """Resample images with replacement, enumerate the pairs among them, and compute the accuracy, many times."""
    pairs, first, second = world(5, n=50, m=900)
    design = Design([(pairs, None)])
    a, b = design.judge(0, strengths=first), design.judge(0, strengths=second)
    rng = np.random.default_rng(0)
    accuracies, gaps = [], []
    table = list(zip(pairs.left.tolist(), pairs.right.tolist(), a.correct.tolist(), b.correct.tolist(), strict=True))
    for _ in range(1500):
        times = np.bincount(rng.integers(0, 50, 50), minlength=50).tolist()
        total = right_a = right_b = 0
        for i, j, x, y in table:
            w = times[i] * times[j]
            total, right_a, right_b = total + w, right_a + w * x, right_b + w * y
        accuracies.append(right_a / total)
        gaps.append((right_a - right_b) / total)
    estimate, gap = estimate_accuracy(design, [a]), difference(design, [a], [b])
    # the bias of literal resampling is small here, and known
    q = (a.correct - a.accuracy) / len(pairs)
    d = (a.correct.astype(float) - b.correct - (a.accuracy - b.accuracy)) / len(pairs)
    for variance, extra, drawn in ((estimate.variance_images, q @ q, accuracies), (gap.variance_images, d @ d, gaps)):
        assert np.var(drawn) == pytest.approx(variance / factor(50) + 2 * extra, rel=0.2)
    assert gap.value == pytest.approx(a.accuracy - b.accuracy)
    share = np.mean(np.sign(gap.value) * np.array(gaps) <= 0)
    assert (gap.p < 0.05) == (share < 0.025)


def test_pairs_without_shared_images_are_binomial():
    rng = np.random.default_rng(2)
    left, right = np.arange(400) * 2, np.arange(400) * 2 + 1
    pairs = Pairs(left, right, np.ones(400, int))
    hit = rng.random(400) < 0.8
    design = Design([(pairs, None)])
    estimate = estimate_accuracy(design, [design.judge(0, margins=np.where(hit, 1.0, -1.0))])
    p = hit.mean()
    assert estimate.variance_images == pytest.approx(p * (1 - p) / 400, rel=0.01)
    assert (estimate.lower, estimate.upper) == pytest.approx(pairs_interval(int(hit.sum()), 400), abs=2e-3)


def test_explicit_and_implied_pairs_agree(monkeypatch):
    rng = np.random.default_rng(7)
    truths = [rng.integers(0, 5, 45).astype(float), rng.standard_normal(45)]
    predicted = [truths[0] + rng.standard_normal(45), truths[1] + rng.standard_normal(45)]
    ids = [np.arange(45), np.arange(45) + 10]

    def both():
        design = Design([(Pairs.all_of(t), i) for t, i in zip(truths, ids, strict=True)])
        first = [design.judge(k, strengths=m) for k, m in enumerate(predicted)]
        second = [design.judge(k, strengths=-m) for k, m in enumerate(predicted)]
        return design, estimate_accuracy(design, first), difference(design, first, second)

    listed, *want = both()
    monkeypatch.setattr(design_module, "IMPLIED_FROM", 1)
    implied, *estimate = both()
    assert (listed.implied, implied.implied) == (False, True)
    for w, f in zip(want, estimate, strict=True):
        assert (f.value, f.lower, f.upper, f.variance_images) == pytest.approx(
            (w.value, w.lower, w.upper, w.variance_images)
        )


def test_all_right_or_all_wrong_still_has_an_interval():
    pairs = Pairs([0, 1, 2, 3], [4, 5, 6, 7], [1, 1, 1, 1])
    design = Design([(pairs, None)])
    perfect = estimate_accuracy(design, [design.judge(0, margins=np.ones(4))])
    assert perfect.value == perfect.upper == 1.0
    assert 0.2 < perfect.lower < 0.9
    none = estimate_accuracy(design, [design.judge(0, margins=-np.ones(4))])
    assert (none.lower, none.upper) == pytest.approx((1 - perfect.upper, 1 - perfect.lower))


def test_no_difference_from_itself_and_ties_are_errors():
    pairs, strengths, _ = world(3)
    design = Design([(pairs, None)])
    judged = design.judge(0, strengths=strengths)
    same = difference(design, [judged], [judged])
    assert (same.value, same.lower, same.upper, same.p) == (0.0, 0.0, 0.0, 1.0)
    assert design.judge(0, strengths=np.zeros(40)).n_correct == 0


def test_difference_is_antisymmetric_and_blind_to_sides():
    pairs, first, second = world(11)
    gaps = []
    for some in (pairs, pairs.swapped(), pairs.random_sides(3)):
        design = Design([(some, None)])
        a, b = design.judge(0, strengths=first), design.judge(0, strengths=second)
        gaps.append(difference(design, [a], [b]))
        other = difference(design, [b], [a])
        assert (other.value, other.lower, other.upper, other.p) == pytest.approx(
            (-gaps[-1].value, -gaps[-1].upper, -gaps[-1].lower, gaps[-1].p)
        )
    assert gaps[1] == gaps[0]
    assert gaps[2].p == pytest.approx(gaps[0].p)


def test_variance_over_seeds_needs_two_seeds():
    pairs, strengths, other = world(12, n=80, m=400)
    design = Design([(pairs, None)])
    one, two = design.judge(0, strengths=strengths), design.judge(0, strengths=other)
    assert estimate_accuracy(design, [one]).variance_seeds is None
    assert estimate_accuracy(design, [one, one]).variance_seeds == 0.0
    estimate = estimate_accuracy(design, [one, two])
    assert estimate.value == pytest.approx((one.accuracy + two.accuracy) / 2)
    assert estimate.variance_seeds == pytest.approx(np.var([one.accuracy, two.accuracy], ddof=1) / 2)
    assert estimate.variance == pytest.approx(estimate.variance_images + estimate.variance_seeds)


def test_tests_of_one_seed_vary_as_those_of_several():
    """The variance of one training is pooled over the tests that have several seeds."""
    a, b, c = [0.80, 0.84, 0.82], [0.70, 0.71], [0.9]
    tests = [0, 0, 0, 1, 1, 2]
    weights = [1 / 9, 1 / 9, 1 / 9, 1 / 6, 1 / 6, 1 / 3]
    variance, df = variance_of_seeds(tests, weights, [*a, *b, *c])
    of_a, of_b = np.var(a, ddof=1), np.var(b, ddof=1)
    pooled = (2 * of_a + of_b) / 3
    assert variance == pytest.approx((of_a / 3 + of_b / 2 + pooled) / 9)
    assert 1 <= df <= 3
    assert variance_of_seeds([0, 1], [0.5, 0.5], [0.8, 0.7])[0] is None


def test_one_seed_varies_as_the_other_method_in_a_difference():
    pairs, strengths, other = world(15, n=80, m=400)
    design = Design([(pairs, None)])
    rng = np.random.default_rng(1)
    several = [design.judge(0, strengths=strengths + 0.4 * rng.standard_normal(80)) for _ in range(3)]
    one = [design.judge(0, strengths=other)]
    of_one_training = np.var([j.accuracy for j in several], ddof=1)
    for first, second in ((several, one), (one, several)):
        assert difference(design, first, second).variance_seeds == pytest.approx(of_one_training * (1 / 3 + 1))
    assert difference(design, one, [design.judge(0, strengths=strengths)]).variance_seeds is None


def test_the_pooled_variance_of_seeds_is_unbiased():
    """Three seeds on one test and one on another, all of the same spread: the mean has variance (1/3 + 1) / 4."""
    rng = np.random.default_rng(0)
    weights = [1 / 6, 1 / 6, 1 / 6, 1 / 2]
    estimates = [variance_of_seeds([0, 0, 0, 1], weights, rng.normal(size=4))[0] for _ in range(4000)]
    assert np.mean(estimates) == pytest.approx((1 / 3 + 1) / 4, rel=0.06)


def test_paired_seeds_leave_the_variance_of_their_differences():
    pairs, strengths, other = world(14, n=80, m=400)
    design = Design([(pairs, None)])
    rng = np.random.default_rng(0)
    first = [design.judge(0, strengths=s + 0.3 * rng.standard_normal(80)) for s in (strengths, other, strengths)]
    second = [design.judge(0, strengths=s + 0.3 * rng.standard_normal(80)) for s in (strengths, other, strengths)]
    same = difference(design, first, first, paired_seeds=True)
    assert (same.value, same.lower, same.upper, same.p) == pytest.approx((0.0, 0.0, 0.0, 1.0))
    paired = difference(design, first, second, paired_seeds=True)
    gaps = [a.accuracy - b.accuracy for a, b in zip(first, second, strict=True)]
    assert paired.variance_seeds == pytest.approx(np.var(gaps, ddof=1) / 3)
    apart = difference(design, first, second)
    assert apart.value == pytest.approx(paired.value)
    expected = sum(np.var([j.accuracy for j in side], ddof=1) / 3 for side in (first, second))
    assert apart.variance_seeds == pytest.approx(expected)
    tests = Design([(pairs, None), (pairs, None)])
    x, y = tests.judge(0, strengths=strengths), tests.judge(1, strengths=strengths)
    with pytest.raises(BadInput, match="same order"):
        difference(tests, [x, y], [y, x], paired_seeds=True)


def test_weights_define_the_mean():
    pairs, strengths, other = world(13)
    design = Design([(pairs, None)])
    one, two = design.judge(0, strengths=strengths), design.judge(0, strengths=other)
    assert estimate_accuracy(design, [one, two], weights=[1.0, 0.0]).value == pytest.approx(one.accuracy)


def test_nominal_coverage_in_a_small_simulation():
    """The committed simulation (benchmarks/studies/interval_coverage.py) in miniature: the binomial interval fails."""
    inside = binomial = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth, noise = rng.standard_normal((2, 60))
        i, j = np.triu_indices(60, 1)
        design = Design([(Pairs(i, j, np.sign(truth[i] - truth[j]).astype(np.int8)), None)])
        judged = design.judge(0, strengths=truth + noise)
        estimate = estimate_accuracy(design, [judged])
        inside += estimate.lower <= 0.75 <= estimate.upper
        lower, upper = pairs_interval(judged.n_correct, judged.n_ordered)
        binomial += lower <= 0.75 <= upper
    assert stats.binom.cdf(inside, 300, 0.93) > 1e-3
    assert stats.binom.sf(inside, 300, 0.97) > 1e-3
    assert binomial < 0.7 * 300


def test_invalid_input_is_refused():
    pairs = Pairs([0, 1], [1, 2], [1, 0])
    design = Design([(pairs, None)])
    with pytest.raises(BadInput, match="no ordered pair"):
        Design([(Pairs([0], [1], [0]), None)])
    with pytest.raises(BadInput, match="an integer identifier for each of its 3 images"):
        Design([(pairs, np.arange(2))])
    with pytest.raises(BadInput, match="finite"):
        design.judge(0, strengths=np.array([np.nan, 0.0, 1.0]))
    with pytest.raises(BadInput, match="shape"):
        design.judge(0, margins=np.ones(3))
    with pytest.raises(BadInput, match="strengths or margins"):
        design.judge(0)
    with pytest.raises(BadInput, match="no judgement"):
        estimate_accuracy(design, [])
    two = Design([(pairs, None), (pairs, None)])
    with pytest.raises(BadInput, match="same test sets"):
        difference(two, [two.judge(0, margins=np.ones(2))], [two.judge(1, margins=np.ones(2))])


@pytest.mark.parametrize("table", [0, 1 << 20])
def test_residuals_equal_a_dictionary_of_dyads(monkeypatch, table):
    """Dyads are indexed by sorting if there are few pairs, otherwise by a table; both compared with plain Python."""
    monkeypatch.setattr(design_module, "_TABLE", table)
    rng = np.random.default_rng(11)
    tests = []
    for _ in range(3):
        left = rng.integers(0, 60, 90)
        right = (left + rng.integers(1, 60, 90)) % 60
        tests.append((Pairs(left, right, rng.integers(-1, 2, 90)), np.arange(60) + 5))
    strengths = rng.integers(0, 30, (3, 60)).astype(float)
    design = Design(tests)
    judgements = [design.judge(k, strengths=strengths[k]) for k in range(3)]
    weights = [0.5, 0.3, -0.2]
    q: dict[frozenset[int], float] = {}
    for (pairs, _), s, weight, judgement in zip(tests, strengths, weights, judgements, strict=True):
        for i, j, y in zip(*(a.tolist() for a in pairs.arrays), strict=True):
            if y:
                right_ = (s[i] > s[j]) if y > 0 else (s[i] < s[j])
                key = frozenset((i, j))
                q[key] = q.get(key, 0.0) + weight * (right_ - judgement.accuracy) / judgement.n_ordered
    sums = {image: sum(v for key, v in q.items() if image in key) for image in frozenset().union(*q)}
    estimate, squares = residuals(design, judgements, weights)
    assert estimate == pytest.approx([sums[image] for image in sorted(sums)])
    assert squares == pytest.approx(sum(v * v for v in q.values()))
