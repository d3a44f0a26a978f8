"""Blocks chosen by cross-validation are those of a search that fits every candidate; folds share no image."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM
from relattr.ranksvm.folds import split_along_graph
from relattr.ranksvm.forward_selection import choose_blocks, gram_matrix


def sparse_pairs(n: int, m: int, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    return Pairs(left, right, rng.choice([-1, 0, 1], m))


def some_blocks(n: int, count: int, seed: int = 1) -> tuple[list[np.ndarray], np.ndarray]:
    """Random blocks of features, and strengths that depend on two of them."""
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(size=(n, 4)) for _ in range(count)]
    return blocks, blocks[3][:, 0] + 0.7 * blocks[1][:, 2] + 0.2 * rng.normal(size=n)


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


@pytest.mark.parametrize("with_base", [False, True])
def test_choice_is_that_of_a_search_that_fits_every_candidate(with_base):
    n = 60
    blocks, strengths = some_blocks(n, 6)
    pairs = Pairs.from_scores(strengths, count=150, seed=2)
    base = some_blocks(n, 4, seed=9)[0][:1] if with_base else []
    parts = split_along_graph(pairs, 4, 5)
    chosen: list[int] = []
    accuracies = []
    for _ in range(3):
        best = (-1.0, -1)
        for k in range(len(blocks)):
            if k in chosen:
                continue
            x = np.concatenate([*base, *(blocks[j] for j in (*chosen, k))], 1)
            right = total = 0
            for train, held_out in parts:
                s = x @ RankSVM(0.3, tol=1e-9).fit(x, train).coef_
                for i, j, y in zip(*held_out.arrays, strict=True):
                    right, total = right + bool(y * (s[i] - s[j]) > 0), total + bool(y)
            if right / total > best[0]:
                best = (right / total, k)
        chosen.append(best[1])
        accuracies.append(best[0])
    choice = choose_blocks(
        [gram_matrix(block) for block in blocks],
        pairs,
        3,
        base=gram_matrix(base[0]) if base else None,
        C=0.3,
        folds=4,
        seed=5,
        tol=1e-9,
    )
    assert choice.blocks == tuple(chosen)
    assert choice.accuracies == pytest.approx(accuracies)
    assert set(choice.blocks[:2]) == {1, 3}


def test_without_folds_the_first_blocks_are_taken_with_a_warning():
    grams = [np.eye(2, dtype=np.float32)] * 3
    with pytest.warns(UserWarning, match="cannot be split by image"):
        choice = choose_blocks(grams, Pairs([0], [1], [1]), 2)
    assert choice.blocks == (0, 1)


def test_nothing_to_choose_is_refused():
    with pytest.raises(BadInput, match="1 of 0 blocks"):
        choose_blocks([], Pairs([0], [1], [1]), 1)
