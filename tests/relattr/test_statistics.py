"""Counting by sorting compared with counting pair by pair, and with plain Python."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.statistics import PairCounts, count_margins, count_strengths

few = st.integers(-3, 3).map(float)


def by_loop(truth, strengths):
    ordered = correct = tied = 0
    for i, j in itertools.combinations(range(len(truth)), 2):
        if truth[i] != truth[j]:
            ordered += 1
            correct += (truth[i] < truth[j] and strengths[i] < strengths[j]) or (
                truth[i] > truth[j] and strengths[i] > strengths[j]
            )
            tied += strengths[i] == strengths[j]
    return PairCounts(ordered, correct, tied)


@given(st.lists(st.tuples(few, few), max_size=14), st.integers(0, 99))
def test_strengths_equal_a_double_loop(rows, seed):
    truth, strengths = [r[0] for r in rows], [r[1] for r in rows]
    implied = Pairs.all_of(truth, seed=seed)
    expected = by_loop(truth, strengths)
    assert count_strengths(np.array(strengths), implied) == expected
    explicit = Pairs(*implied.arrays)
    assert count_strengths(np.array(strengths), explicit) == expected
    margins = np.array([strengths[a] - strengths[b] for a, b in zip(implied.left, implied.right, strict=True)])
    assert count_margins(margins, implied) == expected


@pytest.mark.parametrize("sizes", [(360, 328, 260, 308, 374, 410, 292, 356), (30,) * 8, (1, 700), (500,)])
def test_ranked_classes_equal_counting_pairs(sizes):
    """Data like OSR: eight classes, some with equal ranks."""
    rng = np.random.default_rng(0)
    ranks = [4, 3, 4, 2, 1, 1, 2, 1]
    classes = np.repeat(np.arange(len(sizes)), sizes)
    pairs = Pairs.from_classes(classes, ranks[: len(sizes)], seed=2)
    truth = np.array(ranks)[classes]
    strengths = np.round(truth + rng.normal(0, 1.5, truth.size), 1)
    left, right = np.triu_indices(truth.size, 1)
    expected_sign = np.sign(truth[left] - truth[right])
    sign = np.sign(strengths[left] - strengths[right])
    ordered = expected_sign != 0
    counts = count_strengths(strengths, pairs)
    assert counts == PairCounts(
        int(ordered.sum()), int((ordered & (sign == expected_sign)).sum()), int((ordered & (sign == 0)).sum())
    )


@given(st.lists(st.tuples(few, few), min_size=2, max_size=14), st.randoms(use_true_random=False))
def test_counts_depend_on_the_order_only(rows, random):
    truth, strengths = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    counts = count_strengths(strengths, Pairs.all_of(truth))
    assert count_strengths(np.exp(strengths), Pairs.all_of(truth, seed=5)) == counts  # any increasing function
    order = list(range(len(rows)))
    random.shuffle(order)
    assert count_strengths(strengths[order], Pairs.all_of(truth[order])) == counts
    negated = count_strengths(-strengths, Pairs.all_of(truth))
    assert negated == PairCounts(counts.ordered, counts.ordered - counts.correct - counts.tied, counts.tied)
    assert count_strengths(-strengths, Pairs.all_of(-truth)) == counts


def test_items_index_the_strengths():
    pairs = Pairs.all_of([1, 2, 3], items=[4, 0, 2])
    assert count_strengths(np.array([2.0, np.nan, 3.0, np.nan, 1.0]), pairs) == PairCounts(3, 3, 0)
    assert count_strengths(np.array([2.0, np.nan, 1.0, np.nan, 3.0]), pairs) == PairCounts(3, 0, 0)


def test_similar_pairs_are_ignored_and_ties_are_errors():
    pairs = Pairs([0, 1, 2, 3], [1, 2, 3, 0], [1, -1, 0, 1])
    assert count_margins(np.array([1.0, 0.0, 5.0, -2.0]), pairs) == PairCounts(ordered=3, correct=1, tied=1)
    assert count_margins(np.zeros(4), pairs).accuracy == 0
    assert count_margins(np.array([1e-300, -1e-300, 0, 7]), pairs).accuracy == 1


def test_accuracy_without_ordered_pairs_is_not_a_number():
    assert math.isnan(count_margins(np.ones(1), Pairs([0], [1], [0])).accuracy)
    assert math.isnan(count_strengths(np.ones(5), Pairs.all_of(np.zeros(5))).accuracy)
    assert math.isnan(count_strengths(np.zeros(0), Pairs([], [], [])).accuracy)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    for pairs in (Pairs.all_of([1, 2, 3]), Pairs([0, 1], [1, 2], [1, 1])):
        with pytest.raises(BadInput, match="image 2"):
            count_strengths(np.array([0, 1, bad]), pairs)
    with pytest.raises(BadInput, match="pair 1"):
        count_margins(np.array([0, bad]), Pairs([0, 1], [1, 2], [1, 1]))


def test_a_wrong_shape_is_refused():
    pairs = Pairs([0, 1], [1, 2], [1, 1])
    with pytest.raises(BadInput, match=r"shape \(3,\) for 2 pairs"):
        count_margins(np.zeros(3), pairs)
    with pytest.raises(BadInput, match=r"shape \(2,\)"):
        count_strengths(np.zeros(2), pairs)
    with pytest.raises(BadInput, match="shape"):
        count_strengths(np.zeros((3, 1)), pairs)
