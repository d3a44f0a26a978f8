"""RankNet's loss and the spatial loss against their formulas and a loop over pairs."""

from __future__ import annotations

import math

import pytest
import torch

from relattr.training.ranking_loss import PairTargets, pairwise_loss, ranknet_loss


def test_ranknet_gradient_is_probability_minus_target():
    d = torch.linspace(-30, 30, 13, requires_grad=True)
    for target in (0.0, 0.5, 1.0):
        d.grad = None
        ranknet_loss(d, torch.tensor(target)).sum().backward()
        torch.testing.assert_close(d.grad, torch.sigmoid(d.detach()) - target)


def test_ranknet_of_ties_and_similar_pairs():
    assert float(ranknet_loss(torch.tensor(0.0), torch.tensor(1.0))) == pytest.approx(math.log(2))
    at = torch.linspace(-3, 3, 61)
    assert at[ranknet_loss(at, torch.tensor(0.5)).argmin()] == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(ranknet_loss(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 1.0]))).all()


def by_hand(s, theta, left, right, target, weight, gate):
    total = 0.0
    for i, j, p in zip(left, right, target, strict=True):
        prob = 1 / (1 + math.exp(s[j] - s[i]))
        rank = -p * math.log(prob) - (1 - p) * math.log(1 - prob)
        away = 0.0
        free = True
        for scale in theta:
            for k in (i, j):
                z, tx, ty = scale[k]
                if abs(z * tx) > 1 or abs(z * ty) > 1:
                    away += (0.5 if gate == "crop" else 1.0) * ((z * tx) ** 2 + (z * ty) ** 2)
                    free = False
        total += (rank if free or gate == "crop" else 0.0) + away
    return total / weight


@pytest.mark.parametrize("gate", ["crop", "pair"])
def test_batch_loss_matches_a_loop_over_pairs(gate):
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(6, generator=generator)
    theta = [torch.randn(6, 3, generator=generator) * torch.tensor([0.5, 2.5, 2.5]) for _ in range(3)]
    left, right = [0, 1, 2, 3, 0], [1, 2, 3, 4, 5]
    target = [1.0, 0.0, 0.5, 1.0, 0.0]
    batch = PairTargets(torch.tensor(left), torch.tensor(right), torch.tensor(target), 7.0)
    expected = by_hand(s.tolist(), [t.tolist() for t in theta], left, right, target, 7.0, gate)
    assert float(pairwise_loss(s, theta, batch, gate)) == pytest.approx(expected, rel=1e-5)
    assert float(pairwise_loss(s, [], batch)) == pytest.approx(
        by_hand(s.tolist(), [], left, right, target, 7.0, "crop")
    )
