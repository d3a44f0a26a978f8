"""Batches: each image once, all labelled pairs among them, and an unbiased loss."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from relattr import BadInput, Pairs
from relattr.training.batch_sampler import PairBatchSampler


def rng(k: int = 0) -> np.random.Generator:
    return np.random.default_rng(k)


def labelled(batch) -> list[tuple[int, int, int]]:
    """The pairs of a batch, the smaller image first."""
    labels = []
    for i, j, y in zip(batch.images[batch.left], batch.images[batch.right], batch.label, strict=True):
        labels.append((int(i), int(j), int(y)) if i < j else (int(j), int(i), -int(y)))
    return sorted(labels)


def listed(pairs: Pairs) -> list[tuple[int, int, int]]:
    return sorted(
        (int(i), int(j), int(y)) if i < j else (int(j), int(i), -int(y)) for i, j, y in zip(*pairs.arrays, strict=True)
    )


def sparse() -> Pairs:
    left = rng().integers(0, 300, 240)
    right = (left + rng(1).integers(1, 300, 240)) % 300
    unique = {(min(i, j), max(i, j)): y for i, j, y in zip(left, right, rng(2).integers(-1, 2, 240), strict=True)}
    return Pairs(*zip(*((i, j, y) for (i, j), y in unique.items()), strict=True))


DENSE = [
    Pairs.all_of(np.array([3.0, 1, 2, 2, 5, 0, 7, 1, 1, 4, 9, 8])),
    Pairs.from_scores(rng().normal(size=40), count=500, seed=3),
]


@pytest.mark.parametrize("pairs", DENSE)
def test_dense_batch_has_all_pairs_among_its_images(pairs):
    batches = PairBatchSampler(pairs, 5)
    assert batches.dense
    everything = listed(pairs)
    for batch, _ in batches.epoch(rng()):
        inside = set(batch.images.tolist())
        assert len(inside) == batch.images.size == 5
        assert labelled(batch) == [p for p in everything if {p[0], p[1]} <= inside]


@pytest.mark.parametrize("pairs", DENSE)
def test_dense_batches_are_unbiased(pairs):
    batches = PairBatchSampler(pairs, 5)
    seen: Counter[tuple[int, int, int]] = Counter()
    value = np.sin(np.arange(50.0))  # any function of a pair stands for its gradient
    sums, epochs = [], 3000
    for k in range(epochs):
        for batch, weight in batches.epoch(rng(k)):
            i, j = batch.images[batch.left], batch.images[batch.right]
            sums.append((batch.label * (value[i] - value[j])).sum() / weight)
            if k < 1000:
                seen.update(labelled(batch))
    left, right, label = pairs.arrays
    truth = (label * (value[left] - value[right])).mean()
    assert abs(np.mean(sums) - truth) < 4 * np.std(sums) / np.sqrt(len(sums))
    counts = np.array([seen[p] for p in listed(pairs)])
    expected = counts.sum() / counts.size
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_sparse_epoch_takes_each_pair_once():
    pairs = sparse()
    batches = PairBatchSampler(pairs, 24)
    assert not batches.dense
    for k in range(5):
        epoch = list(batches.epoch(rng(k)))
        assert sorted(p for batch, _ in epoch for p in labelled(batch)) == listed(pairs)
        assert all(np.unique(batch.images).size == batch.images.size <= 24 for batch, _ in epoch)
        # the sums of an epoch add up to the sum over all pairs, up to the number of batches
        assert {weight for _, weight in epoch} == {len(pairs) / len(epoch)}
        assert abs(len(epoch) - batches.batches_per_epoch) <= 0.5 * batches.batches_per_epoch


def test_sparse_batches_need_few_forward_passes():
    epoch = list(PairBatchSampler(sparse(), 24).epoch(rng()))
    passed = sum(batch.images.size for batch, _ in epoch)
    assert passed < 0.8 * 2 * len(sparse())  # pair by pair, each pair costs two


def test_seed_determines_the_batches():
    for pairs in (*DENSE, sparse()):
        one, two, three = (
            [batch.images.tolist() for batch, _ in PairBatchSampler(pairs, 5).epoch(rng(k))] for k in (7, 7, 8)
        )
        assert one == two != three


def test_invalid_batches_are_refused():
    with pytest.raises(BadInput, match="at least two images"):
        PairBatchSampler(DENSE[0], 1)
    with pytest.raises(BadInput, match="at least one ordered pair"):
        PairBatchSampler(Pairs([0], [1], [0]), 4)
    assert PairBatchSampler(Pairs([0], [1], [1]), 50).size == 2  # fewer images than a batch holds
