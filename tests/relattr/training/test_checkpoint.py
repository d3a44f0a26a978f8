"""A checkpoint is continued from only if it is exactly what was saved, by the same training run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from relattr.training.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Linear(4, 3)


@pytest.fixture
def optimiser(network):
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 4)).sum().backward()
    optimiser.step()
    return optimiser


def test_state_and_curve_are_restored(tmp_path, network, optimiser):
    save_checkpoint(tmp_path / "c", network, optimiser, 7, [[1.0, 0.5]], "key")
    other = nn.Linear(4, 3)
    restored = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    assert load_checkpoint(tmp_path / "c", other, restored, "key") == (7, [[1.0, 0.5]])
    assert torch.equal(other.weight, network.weight)
    momentum = [o.state[o.param_groups[0]["params"][0]]["momentum_buffer"] for o in (optimiser, restored)]
    assert torch.equal(*momentum)


def test_adamw_continues_as_if_not_interrupted(tmp_path):
    def steps(network, optimiser, first, last):
        for k in range(first, last):
            optimiser.zero_grad()
            network(torch.randn(5, 4, generator=torch.Generator().manual_seed(k))).square().sum().backward()
            optimiser.step()

    def start():
        torch.manual_seed(0)
        network = nn.Linear(4, 3)
        return network, torch.optim.AdamW(network.parameters(), lr=0.1)

    uninterrupted, optimiser = start()
    steps(uninterrupted, optimiser, 0, 6)
    network, optimiser = start()
    steps(network, optimiser, 0, 3)
    save_checkpoint(tmp_path / "c", network, optimiser, 3, [], "key")
    network, optimiser = start()
    assert load_checkpoint(tmp_path / "c", network, optimiser, "key") == (3, [])
    steps(network, optimiser, 3, 6)
    assert torch.equal(network.weight, uninterrupted.weight)
    assert torch.equal(network.bias, uninterrupted.bias)


def test_any_changed_or_missing_byte_starts_again(tmp_path, network, optimiser):
    path = tmp_path / "c"
    save_checkpoint(path, network, optimiser, 7, [[1.0, 0.5]], "key")
    content, weight = path.read_bytes(), network.weight.clone()
    changed = [content[:k] + bytes([content[k] ^ 16]) + content[k + 1 :] for k in range(0, len(content), 5)]
    for damaged in [*changed, content[:-1], content[:20], b"", b"\0" * 100]:
        path.write_bytes(damaged)
        assert load_checkpoint(path, network, optimiser, "key") == (0, [])
    assert torch.equal(network.weight, weight)


def test_another_run_starts_again(tmp_path, network, optimiser):
    save_checkpoint(tmp_path / "c", network, optimiser, 7, [], "key")
    assert load_checkpoint(tmp_path / "c", network, optimiser, "another key") == (0, [])
    assert load_checkpoint(tmp_path / "missing", network, optimiser, "key") == (0, [])
