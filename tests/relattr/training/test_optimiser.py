"""SGD compared with Torch7's recursion, AdamW with that of its paper."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from relattr import BadInput
from relattr.training.optimiser import create_optimiser, set_learning_rate
from relattr.training.schedule import PRESETS

PAPER = PRESETS["paper"]


def test_damped_momentum_matches_torch7():
    torch.manual_seed(0)
    layer = nn.Linear(3, 1, bias=False).double()
    optimiser = create_optimiser([(layer, 0.1)], PAPER)
    w, v = layer.weight.detach().clone(), None
    for k in range(6):
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(k)).double()
        optimiser.zero_grad()
        layer(x).square().sum().backward()
        g = 2 * (x @ w.T * x).sum(0, keepdim=True) + 5e-4 * w
        v = g if v is None else 0.9 * v + 0.1 * g
        w = w - 1e-3 * 0.1 * v
        optimiser.step()
        torch.testing.assert_close(layer.weight.detach(), w)


def test_adamw_matches_its_recursion():
    """Loshchilov and Hutter (ICLR 2019, algorithm 2): the decay is not part of the gradient."""
    schedule = dataclasses.replace(PAPER, optimiser="adamw", rate=0.02, weight_decay=0.1)
    torch.manual_seed(0)
    layer = nn.Linear(3, 1, bias=False).double()
    optimiser = create_optimiser([(layer, 0.5)], schedule)
    w, m, v = layer.weight.detach().clone(), torch.zeros(1, 3).double(), torch.zeros(1, 3).double()
    for k in range(1, 6):
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(k)).double()
        set_learning_rate(optimiser, 0.02 / k)
        optimiser.zero_grad()
        layer(x).square().sum().backward()
        g = 2 * (x @ w.T * x).sum(0, keepdim=True)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        rate = 0.5 * 0.02 / k
        w = w - rate * 0.1 * w - rate * (m / (1 - 0.9**k)) / ((v / (1 - 0.999**k)).sqrt() + 1e-8)
        optimiser.step()
        torch.testing.assert_close(layer.weight.detach(), w)


def test_groups_have_their_learning_rate_multiplier():
    free, slow, still = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    still.requires_grad_(False)
    optimiser = create_optimiser([(free, 1.0), (slow, 0.1), (still, 1.0)], PAPER)
    assert [group["lr"] for group in optimiser.param_groups] == [1e-3, 1e-4]
    set_learning_rate(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [0.5, 0.05]


def test_learning_rate_schedules():
    assert {PAPER.rate_at(k, 100) for k in range(100)} == {1e-3}
    fast = PRESETS["fast"]
    rates = [fast.rate_at(k, 100) for k in range(100)]
    top = rates.index(max(rates))
    assert max(rates) == fast.rate
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 0.01 * fast.rate


@pytest.mark.parametrize(
    ("name", "value"), [("updates", 0), ("batch", 1), ("rate", 0.0), ("stages", 3), ("frozen", 1.0), ("test_views", 5)]
)
def test_invalid_schedule_is_refused(name, value):
    with pytest.raises(BadInput, match=f"{name} must be .* got {value}"):
        dataclasses.replace(PAPER, **{name: value})
