"""The numbers of pairs and images for an interval of a given width, compared with simulated intervals."""

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.statistics import Design, describe_few_pairs, estimate_accuracy, images_needed, pairs_needed


def half_width(left, right, accuracy, rng, *, cross_validated):
    """The half-width of an interval for Gaussian scores and strengths with this accuracy."""
    n = int(max(left.max(), right.max())) + 1
    rho = np.sin(np.pi * (accuracy - 0.5))
    scores, noise = rng.standard_normal((2, n))
    strengths = rho * scores + np.sqrt(1 - rho**2) * noise
    pairs = Pairs(left, right, np.sign(scores[left] - scores[right]).astype(np.int8))
    design = Design([(pairs, None)], cross_validated=cross_validated)
    estimate = estimate_accuracy(design, [design.judge(0, strengths=strengths)])
    return (estimate.upper - estimate.lower) / 2


@pytest.mark.parametrize("cross_validated", [False, True])
@pytest.mark.parametrize(("needed", "target"), [(pairs_needed, 0.05), (images_needed, 0.05), (images_needed, 0.04)])
def test_so_many_give_the_requested_half_width(needed, target, cross_validated):
    rng = np.random.default_rng(0)
    n = needed(target, accuracy=0.8, cross_validated=cross_validated)
    if needed is pairs_needed:
        left, right = 2 * np.arange(n), 2 * np.arange(n) + 1
    else:
        left, right = np.triu_indices(n, 1)
    widths = [half_width(left, right, 0.8, rng, cross_validated=cross_validated) for _ in range(60)]
    assert np.mean(widths) == pytest.approx(target, rel=0.15)


def test_pairs_needed_is_the_textbook_formula():
    assert pairs_needed(0.05, accuracy=0.8) == 246
    assert pairs_needed(0.1, accuracy=0.5) == 97
    assert pairs_needed(0.1, accuracy=0.5, cross_validated=True) == 193


def test_scores_need_fewer_images_than_disjoint_pairs():
    for accuracy in (0.55, 0.8, 0.95):
        assert images_needed(0.05, accuracy=accuracy) < pairs_needed(0.05, accuracy=accuracy)


@pytest.mark.parametrize("half_width", [0.0, 1.0, -0.1])
def test_a_half_width_out_of_range_is_refused(half_width):
    for needed in (pairs_needed, images_needed):
        with pytest.raises(BadInput, match=r"half_width must be between 0 and 1"):
            needed(half_width)


def test_the_advice_names_the_numbers():
    text = describe_few_pairs(8)
    assert "only 8 ordered test pairs: at an accuracy of 80 % the 95 % interval is about ± 28 points" in text
    assert "compare about 250 pairs of held-out images, or give scores of about 63 held-out images" in text
    assert "only 1 ordered test pair: " in describe_few_pairs(1)
    assert "wider than ± 40 points" in describe_few_pairs(1)


def test_cross_validation_doubles_the_variance():
    pairs = Pairs([0, 2, 4, 6], [1, 3, 5, 7], [1, 1, -1, 1])
    once, folds = (Design([(pairs, None)], cross_validated=c) for c in (False, True))
    margins = np.array([1.0, -1.0, -1.0, 1.0])
    one, other = (estimate_accuracy(d, [d.judge(0, margins=margins)]) for d in (once, folds))
    assert other.variance_images == pytest.approx(2 * one.variance_images)
    assert other.lower < one.lower
    one, other = (estimate_accuracy(d, [d.judge(0, margins=margins * [1, -1, 1, 1])]) for d in (once, folds))
    assert (one.upper, other.upper) == (1.0, 1.0)
    assert other.lower < one.lower
