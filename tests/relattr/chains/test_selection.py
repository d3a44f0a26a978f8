"""Which chains are selected: by pairs of images that their rankers never saw."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.chains.selection import most_accurate, split_pairs, validation_accuracy
from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM


@pytest.fixture(scope="module")
def pairs():
    return Pairs.from_scores(np.random.default_rng(0).normal(size=60), count=900, seed=1)


def sparse_pairs(n_images, n_pairs, seed):
    rng = np.random.default_rng(seed)
    left = rng.integers(0, n_images, n_pairs)
    return Pairs(left, (left + rng.integers(1, n_images, n_pairs)) % n_images, rng.choice([-1, 0, 1], n_pairs))


def labelled(pairs):
    """Pairs as (smaller index, larger index, label of the smaller)."""
    return {
        (min(i, j), max(i, j), y if i < j else -y) for i, j, y in zip(*(a.tolist() for a in pairs.arrays), strict=True)
    }


@pytest.mark.parametrize("share", [0.25, 0.4])
@pytest.mark.parametrize("kind", ["dense", "all", "sparse", "components"])
def test_no_image_is_on_both_sides(pairs, kind, share):
    if kind == "all":
        pairs = Pairs.all_of(np.arange(60.0))
    elif kind == "sparse":
        pairs = sparse_pairs(640, 500, 0)
    elif kind == "components":
        pairs = Pairs(np.arange(0, 200, 2), np.arange(1, 200, 2), np.ones(100, np.int8))
    training, validation = split_pairs(pairs, share, seed=0, min_pairs=10)
    assert not set(training.images.tolist()) & set(validation.images.tolist())
    assert len(validation) / (len(training) + len(validation)) == pytest.approx(share, abs=0.05)
    for part in (training, validation):
        assert labelled(part) <= labelled(pairs)
    if kind == "components":
        assert len(training) + len(validation) == 100
    other = split_pairs(pairs, share, seed=1, min_pairs=10)[1]
    assert other.images.tolist() != validation.images.tolist()


def test_a_search_through_the_graph_keeps_most_pairs():
    """500 pairs of 640 images, as on LFW-10: a split of the images at random keeps about half of them."""
    n_pairs = [sum(map(len, split_pairs(sparse_pairs(640, 500, seed), 0.4, seed))) for seed in range(5)]
    assert np.mean(n_pairs) > 350


def test_accuracy_is_that_of_a_ranker_with_ties_right(pairs):
    x = np.random.default_rng(2).normal(size=(60, 4)).astype(np.float32)
    x[:, 0] += np.random.default_rng(0).normal(size=60)
    x[:30] = x[0]  # so that pairs of the first thirty images are ties
    training, validation = split_pairs(pairs, 0.4, seed=0)
    w = RankSVM(C=0.1, tol=1e-8).fit(x, training).coef_
    margins = [(float((x[i] - x[j]) @ w) * label) for i, j, label in zip(*validation.arrays, strict=True) if label]
    right = sum(margin >= 0 for margin in margins)
    assert sum(margin == 0 for margin in margins) > 10
    accuracy = validation_accuracy(x, training, validation, 0.1)
    assert accuracy == pytest.approx(right / len(margins), abs=2.5 / len(margins))
    constant = np.ones((60, 2), np.float32)
    constant[training.images, 0] = 0.0  # no validation image differs from another
    constant[training.images, 1] = np.random.default_rng(3).normal(size=training.images.size)
    assert validation_accuracy(constant, training, validation, 0.1) == 1.0


def test_unsplittable_pairs_give_a_warning(pairs):
    few = pairs.take(np.arange(8))
    with pytest.warns(UserWarning, match="selected on their training pairs"):
        assert split_pairs(few, 0.4, seed=0) == (few, few)


def test_the_best_come_first_and_ties_keep_their_order():
    assert most_accurate(np.array([0.5, 0.7, 0.6, 0.7]), 3).tolist() == [1, 3, 2]
    assert most_accurate(np.array([0.5, 0.7]), 9).tolist() == [1, 0]
