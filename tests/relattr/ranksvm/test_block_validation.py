"""Accuracies on folds compared with fits on the features themselves; folds share no image."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM
from relattr.ranksvm.block_validation import block_accuracies, gram_matrix
from relattr.ranksvm.folds import split_along_graph


def sparse_pairs(n: int, m: int, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    return Pairs(left, right, rng.choice([-1, 0, 1], m))


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("kind", ["sparse", "dense", "implied", "with gaps"])
def test_folds_share_no_image(folds, kind):
    pairs = {
        "sparse": lambda: sparse_pairs(120, 100),
        "dense": lambda: Pairs.from_scores(np.arange(40.0), count=600, seed=0),
        "implied": lambda: Pairs.all_of(np.arange(30.0), items=np.arange(50, 80)),
        "with gaps": lambda: Pairs([3, 9, 70, 71, 3, 9], [9, 12, 71, 75, 12, 90], [1, -1, 1, 1, 1, -1]),
    }[kind]()
    parts = split_along_graph(pairs, folds, 0)
    seen: set[int] = set()
    for train, held_out in parts:
        assert train.n_ordered
        assert held_out.n_ordered
        assert not set(train.images.tolist()) & set(held_out.images.tolist())
        assert not seen & set(held_out.images.tolist())
        seen |= set(held_out.images.tolist())
    assert len(parts) == folds or kind == "with gaps"


def test_chain_of_images_loses_one_pair_per_cut():
    chain = Pairs(np.arange(99), np.arange(1, 100), np.ones(99, np.int8))
    for seed in range(5):
        parts = split_along_graph(chain, 5, seed)
        # a walk that starts in the middle of the chain continues at its other end: one cut more
        assert sum(len(held_out) for _, held_out in parts) >= 99 - 5


def test_seed_determines_the_folds():
    pairs = sparse_pairs(60, 60)

    def folds(seed):
        return [held_out.images.tolist() for _, held_out in split_along_graph(pairs, 4, seed)]

    assert folds(1) == folds(1)
    assert folds(1) != folds(2)


def test_accuracies_are_those_of_fits_on_the_features():
    rng = np.random.default_rng(1)
    blocks = [rng.normal(size=(60, 4)) for _ in range(5)]
    pairs = Pairs.from_scores(blocks[3][:, 0] + 0.2 * rng.normal(size=60), count=150, seed=2)
    slow = []
    for x in blocks:
        right = total = 0
        for train, held_out in split_along_graph(pairs, 4, 5):
            s = x @ RankSVM(0.3, tol=1e-9).fit(x, train).coef_
            for i, j, y in zip(*held_out.arrays, strict=True):
                right, total = right + bool(y * (s[i] - s[j]) > 0), total + bool(y)
        slow.append(right / total)
    accuracies = block_accuracies(map(gram_matrix, blocks), pairs, C=0.3, folds=4, seed=5, tol=1e-9)
    assert accuracies.tolist() == pytest.approx(slow)
    assert accuracies.argmax() == 3


def test_without_folds_accuracies_are_unknown():
    accuracies = block_accuracies([np.eye(2)] * 3, Pairs([0], [1], [1]))
    assert accuracies.shape == (3,)
    assert np.isnan(accuracies).all()
