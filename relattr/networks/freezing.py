"""Which parameters of a network are used, and which are trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def drop_unused_parameters(module: nn.Module, run: Callable[[], torch.Tensor]) -> None:
    """Empty the parameters that do not affect the output of ``run()``, a forward pass through ``module``.

    A backbone truncated at a layer still contains all later layers; for an AlexNet truncated at pool5 these are 58
    million parameters. Once emptied, they are no longer moved, trained or saved.
    """
    module.zero_grad(set_to_none=True)
    training = module.training
    frozen = [p for p in module.parameters() if not p.requires_grad]
    module.eval()
    for parameter in frozen:  # a frozen parameter may still be used
        parameter.requires_grad_(bool(parameter.numel()))
    with torch.enable_grad():
        run().sum().backward()
    module.train(training)
    for parameter in module.parameters():
        if parameter.grad is None:
            parameter.requires_grad_(False)
            parameter.data = parameter.data.new_empty(0)  # on its own device: a module must not span two
    for parameter in frozen:
        parameter.requires_grad_(False)
    module.zero_grad(set_to_none=True)


def freeze_first_layers(module: nn.Module, share: float) -> None:
    """Freeze the first ``share`` (in [0, 1]) of the layers with trainable parameters, counted from the input."""
    layers = [
        layer
        for layer in module.modules()
        if any(p.numel() and p.requires_grad for p in layer.parameters(recurse=False))
    ]
    for layer in layers[: int(share * len(layers))]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)


def freeze_batch_norm_statistics(module: nn.Module, *, trainable: bool = False) -> None:
    """Put batch normalisation with frozen parameters into evaluation mode, so that its running statistics stay.

    ``trainable=True`` includes batch normalisation whose parameters are trained.
    """
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            parameters = list(layer.parameters())
            if trainable or (parameters and not any(p.requires_grad for p in parameters)):
                layer.eval()


def count_parameters(module: nn.Module) -> int:
    """The number of parameters of a network, shared ones counted once."""
    return sum(p.numel() for p in module.parameters())
