"""SGD as Torch7 has it: damped momentum, weight decay on everything, a rate of its own for each part of a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from relattr.networks.ranker import Ranker
from relattr.training.schedule import Schedule


def optimiser(parts: Sequence[tuple[nn.Module, float]], schedule: Schedule) -> torch.optim.SGD:
    """SGD over the parameters of these parts that are trained, each part with its multiple of the rate.

    Torch7's ``optim.sgd`` damps: ``v <- momentum v + (1 - dampening) g``, the first ``v`` being the first ``g``;
    torch's does the same when told to.
    """
    groups = []
    for part, multiple in parts:
        trained = [p for p in part.parameters() if p.requires_grad]
        if trained:
            groups.append({"params": trained, "lr": schedule.rate * multiple, "multiple": multiple})
    return torch.optim.SGD(
        groups,
        lr=schedule.rate,
        momentum=schedule.momentum,
        dampening=schedule.dampening,
        weight_decay=schedule.weight_decay,
    )


def parts_of(network: Ranker, schedule: Schedule) -> list[tuple[nn.Module, float]]:
    """The parts of a ranking network with the multiple of the rate each is trained with."""
    return [(network.extractor, 1.0), (network.score, 1.0), (network.localisers, schedule.localiser_rate)]


def set_rate(made: torch.optim.SGD, rate: float) -> None:
    """Give every group its multiple of a rate."""
    for group in made.param_groups:
        group["lr"] = rate * group["multiple"]
