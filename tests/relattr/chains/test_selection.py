"""Which chains are kept: judged on pairs of images that their rankers never saw."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.chains.selection import held_out_accuracy, most_accurate, split_into_folds
from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM


@pytest.fixture(scope="module")
def pairs():
    return Pairs.from_scores(np.random.default_rng(0).normal(size=60), count=900, seed=1)


def test_no_image_is_on_both_sides(pairs):
    parts = split_into_folds(pairs, 5, seed=0)
    assert len(parts) == 5
    for learn, judge in parts:
        assert not set(learn.images.tolist()) & set(judge.images.tolist())


def test_accuracy_is_that_of_rankers_fitted_one_by_one(pairs):
    x = np.random.default_rng(2).normal(size=(60, 4)).astype(np.float32)
    x[:, 0] += np.random.default_rng(0).normal(size=60)
    parts = split_into_folds(pairs, 3, seed=0)
    correct = ordered = 0
    for learn, judge in parts:
        w = RankSVM(C=0.1, tol=1e-8).fit(x, learn).coef_
        for left, right, label in zip(*judge.arrays, strict=True):
            if label:
                ordered += 1
                correct += np.sign((x[left] - x[right]) @ w) == label
    found = held_out_accuracy(x, parts, 0.1)
    assert found == pytest.approx(
        correct / ordered, abs=2.5 / ordered
    )  # a pair or two may be closer than the tolerance
    assert 0.55 < found < 0.95


def test_memorised_features_do_not_help(pairs):
    by_heart = np.eye(60, dtype=np.float32)
    assert held_out_accuracy(by_heart, split_into_folds(pairs, 5, seed=0), 1.0) < 0.2  # every margin is a tie, an error
    telling = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    assert held_out_accuracy(telling, split_into_folds(pairs, 5, seed=0), 1.0) == 1.0


def test_unsplittable_pairs_give_a_warning(pairs):
    few = pairs.take(np.arange(8))
    with pytest.warns(UserWarning, match="selected on their training pairs"):
        assert split_into_folds(few, 5, seed=0) == [(few, few)]


def test_the_best_come_first_and_ties_keep_their_order():
    assert most_accurate(np.array([0.5, 0.7, 0.6, 0.7]), 3).tolist() == [1, 3, 2]
    assert most_accurate(np.array([0.5, 0.7]), 9).tolist() == [1, 0]
