"""SGD as in Torch7, with damped momentum and weight decay on all parameters, or AdamW; a learning rate per part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from relattr.networks.ranker import Ranker
from relattr.training.schedule import Schedule


def create_optimiser(groups: Sequence[tuple[nn.Module, float]], schedule: Schedule) -> torch.optim.Optimizer:
    """The optimiser of the trainable parameters of these modules, each with its multiplier of the learning rate.

    Torch7's ``optim.sgd`` damps momentum: ``v <- momentum v + (1 - dampening) g``, the first ``v`` being the first
    ``g``; PyTorch's does the same with ``dampening``.
    """
    parameter_groups = []
    for module, multiplier in groups:
        trainable = [p for p in module.parameters() if p.requires_grad]
        if trainable:
            group = {"params": trainable, "lr": schedule.rate * multiplier, "multiplier": multiplier}
            parameter_groups.append(group)
    if schedule.optimiser == "adamw":
        return torch.optim.AdamW(parameter_groups, lr=schedule.rate, weight_decay=schedule.weight_decay)
    return torch.optim.SGD(
        parameter_groups,
        lr=schedule.rate,
        momentum=schedule.momentum,
        dampening=schedule.dampening,
        weight_decay=schedule.weight_decay,
    )


def parameter_groups(network: Ranker, schedule: Schedule) -> list[tuple[nn.Module, float]]:
    """The parts of a ranking network, each with its multiplier of the learning rate."""
    return [
        (network.extractor, 1.0),
        (network.score, schedule.score_rate),
        (network.localisers, schedule.localiser_rate),
    ]


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group to its multiple of ``rate``."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["multiplier"]
