"""What of a network is used, and what of it is trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def drop_unused(module: nn.Module, run: Callable[[], torch.Tensor]) -> None:
    """Empty the parameters that decide nothing of what ``run()``, one pass through ``module``, gives.

    A backbone cut off at a layer still holds what comes after it; for an AlexNet cut off at pool5 that is 58 million
    numbers. They are neither moved, trained nor saved any more.
    """
    module.zero_grad(set_to_none=True)
    training = module.training
    frozen = [p for p in module.parameters() if not p.requires_grad]
    module.eval()
    for parameter in frozen:  # what is not trained may well be used
        parameter.requires_grad_(bool(parameter.numel()))
    with torch.enable_grad():
        run().sum().backward()
    module.train(training)
    for parameter in module.parameters():
        if parameter.grad is None:
            parameter.requires_grad_(False)
            parameter.data = parameter.data.new_empty(0)  # on its own device: all of a module is on one
    for parameter in frozen:
        parameter.requires_grad_(False)
    module.zero_grad(set_to_none=True)


def freeze(module: nn.Module, share: float) -> None:
    """Keep the first ``share`` of the layers that hold parameters, from the input on, as they are."""
    layers = [
        layer
        for layer in module.modules()
        if any(p.numel() and p.requires_grad for p in layer.parameters(recurse=False))
    ]
    for layer in layers[: int(share * len(layers))]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)


def hold_statistics(module: nn.Module) -> None:
    """Batch normalisation that is not trained keeps its means and variances, whatever mode the network is in."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            own = list(part.parameters())
            if own and not any(p.requires_grad for p in own):
                part.eval()


def n_parameters(module: nn.Module) -> int:
    """How many numbers a network holds that can be learnt, each counted once."""
    return sum(p.numel() for p in module.parameters())
