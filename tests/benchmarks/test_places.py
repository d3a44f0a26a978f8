"""The study of fixed places and released chains: regions, the choice of the best chains, and movements of boxes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from relattr.pairs import Pairs


@pytest.fixture
def chains(load_study):
    return load_study("released_chains")


@pytest.fixture
def places(chains, load_study):
    return load_study("places")


def chain(module, boxes):
    """A chain with these boxes in test images."""
    return module.ReleasedChain({}, {}, {number: np.array(box, float) for number, box in boxes.items()})


def test_shares_by_hand(chains):
    left = chain(chains, {1: [0, 0, 0.5, 1], 2: [0, 0, 0.5, 1], 3: [-0.2, -0.2, 0.1, 0.1]})
    right = chain(chains, {1: [0.5, 0, 1, 1], 2: [0.6, 0, 1, 1]})
    centres, numbers = np.array([[0.7, 0.5], [0.2, 0.5], [0.5, 0.5], [0.3, 0.3]]), np.array([1, 2, 3, 4])
    assert chains.share_inside(centres, numbers, [left]) == pytest.approx(1 / 3)  # image 4 has no box
    assert chains.share_inside(centres, numbers, [right]) == pytest.approx(1 / 2)
    assert chains.share_inside(centres, numbers, [left, right]) == pytest.approx(2 / 3)
    assert np.isnan(chains.share_inside(centres[3:], numbers[3:], [left, right]))


def test_features_of_a_box_are_means_over_its_parts(chains):
    cells = torch.arange(64.0).view(1, 8, 8)
    features = chains.box_features(cells, np.array([0.25, 0.5, 0.75, 1.0]), 2)
    quarters = [cells[0, y : y + 2, x : x + 2].mean() for y in (4, 6) for x in (2, 4)]
    assert features == pytest.approx(np.array(quarters) / np.linalg.norm(quarters))


@pytest.mark.parametrize("box", [[-0.5, -0.5, -0.2, -0.2], [1.1, 1.1, 1.4, 1.4], [0.4, 0.4, 0.41, 0.41]])
def test_boxes_off_the_image_and_tiny_ones_have_features(chains, box):
    features = chains.box_features(torch.rand(3, 8, 8), np.array(box), 2)
    assert features.shape == (12,)
    assert np.isfinite(features).all()


def test_the_best_chain_is_the_one_that_lies_on_the_cue(chains):
    rng = np.random.default_rng(0)
    n, strength = 60, rng.random(60)
    maps = torch.from_numpy(rng.random((n, 2, 8, 8)).astype(np.float32))
    maps[:, 0, :2, :2] = torch.from_numpy(strength.astype(np.float32))[:, None, None]
    on, off = [0, 0, 0.25, 0.25], [0.5, 0.5, 0.75, 0.75]
    train = SimpleNamespace(images=SimpleNamespace(indices=np.arange(n)), pairs=Pairs.from_scores(strength))
    grid = SimpleNamespace(load=lambda images: maps, parts=2, dim=8)
    candidates = [
        chains.ReleasedChain(
            *({k + 1: np.array(box) for k in part} for part in (range(40), range(40, n))), {1: np.array(box)}
        )
        for box in (off, on, off)
    ]
    best = chains.best_chains(candidates, train, grid, 1.0)
    assert [each.test[1].tolist() for each in best] == [on, off, off]


def test_movement_by_hand(places):
    start = np.array([0.2, 0.4, 0.6, 0.8])
    boxes = np.array([[0.2, 0.4, 0.6, 0.8], [0.5, 0.8, 0.9, 1.2], [0.1, 0.3, 0.7, 0.9]])
    moved = places.Movement.between(start, boxes)
    assert moved.x == pytest.approx((0.1, np.std([0, 0.3, 0])))
    assert moved.y == pytest.approx((0.4 / 3, np.std([0, 0.4, 0])))
    assert moved.distance == pytest.approx((0.5 / 3, np.std([0, 0.5, 0])))
    assert moved.side == pytest.approx((0.2 / 3, np.std([0, 0, 0.2])))


def test_accuracies_beside_a_network_that_is_not_stored(places):
    def row(accuracy, siamese):
        return SimpleNamespace(accuracy=accuracy, siamese=siamese)

    assert places.accuracies([row(0.9, 0.875)]) == "90.00 | 87.50 | +2.50"
    assert places.accuracies([row(0.9, 0.875), row(0.8, 0.825)]) == "85.00 | 85.00 | +0.00"
    assert places.accuracies([row(0.9, None)]) == "90.00 | | "
