"""Batches of 25 pairs, as Singh & Lee train: every pair once an epoch, and the mean over each batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relattr import BadInput, Pairs
from relattr.networks.scoring import NetworkOutput
from relattr.training.objectives import PairwiseObjective
from relattr.training.shuffled_pairs import ShuffledPairs

LISTED = Pairs([0, 1, 2, 3, 4, 0, 2], [1, 2, 3, 4, 0, 2, 4], [1, -1, 0, 1, 1, -1, 0])
IMPLIED = Pairs.all_of(np.array([3.0, 1, 2, 2, 5, 0]))


def labelled(batch) -> list[tuple[int, int, int]]:
    """The pairs of a batch."""
    return list(
        zip(batch.images[batch.left].tolist(), batch.images[batch.right].tolist(), batch.label.tolist(), strict=True)
    )


@pytest.mark.parametrize("pairs", [LISTED, IMPLIED])
def test_each_pair_is_in_one_batch_of_an_epoch(pairs):
    sampler = ShuffledPairs(pairs, 3)
    expected = sorted(zip(*(side.tolist() for side in pairs.arrays), strict=True))
    orders = []
    for seed in range(3):
        batches = list(sampler.epoch(np.random.default_rng(seed)))
        assert len(batches) == sampler.batches_per_epoch == -(-len(pairs) // 3)
        assert [len(batch.label) for batch, _ in batches[:-1]] == [3] * (len(batches) - 1)
        orders.append([pair for batch, _ in batches for pair in labelled(batch)])
        assert sorted(orders[-1]) == expected
        for batch, weight in batches:
            assert weight == len(batch.label)
            assert batch.images.size == 2 * len(batch.label)  # both images of every pair, repeated or not
    assert orders[0] != orders[1]
    again = [pair for batch, _ in sampler.epoch(np.random.default_rng(0)) for pair in labelled(batch)]
    assert again == orders[0]


def test_epochs_have_the_published_number_of_batches():
    voted = Pairs(np.arange(500), np.arange(500) + 500, np.ones(500, np.int8))
    assert PairwiseObjective(voted, 50, batching="pairs").batches_per_epoch == 20  # LFW-10: 400 epochs, 8,000 steps
    scenes = Pairs.all_of(np.repeat(np.arange(8.0), 30))
    assert len(scenes) == 28_680
    assert PairwiseObjective(scenes, 50, batching="pairs").batches_per_epoch == 1148  # OSR: 15 epochs, 17,220 steps


def test_loss_is_the_mean_cross_entropy_of_the_pairs_of_a_batch():
    batch = next(PairwiseObjective(LISTED, 8, batching="pairs").batches(0))
    strength = torch.linspace(-1, 2, len(batch.images), dtype=torch.float64)
    result = batch.evaluate(NetworkOutput(strength, ()))
    terms = []
    for k in range(4):
        first, second = float(strength[k]), float(strength[k + 4])
        p = 1 / (1 + np.exp(-(first - second)))
        (label,) = (
            y for i, j, y in zip(*LISTED.arrays, strict=True) if (i, j) == (batch.images[k], batch.images[k + 4])
        )
        target = (label + 1) / 2
        terms.append(-target * np.log(p) - (1 - target) * np.log(1 - p))
    assert float(result.loss) == pytest.approx(np.mean(terms))
    assert result.n_terms == 4


def test_invalid_batches_of_pairs_are_refused():
    with pytest.raises(BadInput, match="at least one pair; got 0"):
        ShuffledPairs(LISTED, 0)
    with pytest.raises(BadInput, match="at least one ordered pair"):
        ShuffledPairs(Pairs([0], [1], [0]), 4)
    assert ShuffledPairs(LISTED, 100).batches_per_epoch == 1
