"""Layers of a network by name: the field's names where a network has them, module paths for the rest.

===========  ==============================================================================================
``pooled``   what enters the classifier's last layer: fc7 of AlexNet and VGG, the pooled features of others
``conv``     the last map of the convolutional part, before it is pooled to one place: pool5 of AlexNet
``pool5``    AlexNet, VGG: that map
``fc6 fc7``  AlexNet, VGG: fully connected layers after their ReLU
``fc8``      AlexNet, VGG: class scores
``pool10``   SqueezeNet: class scores, its last layer
``scores``   all: what the network gives
===========  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn


@dataclass(frozen=True)
class Layer:
    """Where in a network a feature is taken.

    ``path`` is the module (empty for the network itself), ``side`` whether its input or its output is meant;
    ``reduce`` what is done with that: nothing, the mean over its places, or tokens laid out as a map.
    """

    path: str
    side: Literal["input", "output"] = "output"
    reduce: Literal["", "mean", "map", "nhwc"] = ""
    prefix_tokens: int = 0


def named_layers(net: nn.Module) -> dict[str, Layer]:
    """The layers of a network that have names of their own; each is explained at the top of this file.

    ``conv`` is not among them where it takes a run of the network to find it; see `find_conv_layer`.
    """
    named = {"scores": Layer("")}
    linear = [path for path, module in net.named_modules() if isinstance(module, nn.Linear)]
    parts = dict(net.named_children())
    if isinstance(parts.get("features"), nn.Sequential) and isinstance(parts.get("classifier"), nn.Sequential):
        named["conv"] = Layer("features")
        classifier = dict(parts["classifier"].named_children())
        dense = [name for name, module in classifier.items() if isinstance(module, nn.Linear)]
        if len(dense) == 3:  # the shape of AlexNet and VGG
            named["pool5"] = Layer("features")
            named["fc6"], named["fc7"] = (_activated(classifier, name) for name in dense[:2])
            named["fc8"] = Layer(f"classifier.{dense[2]}")
            named["pooled"] = named["fc7"]
            return named
        if not dense and any(isinstance(module, nn.Conv2d) for module in classifier.values()):  # SqueezeNet
            named["pooled"] = Layer("features", reduce="mean")
            named["pool10"] = Layer("")
            return named
    if linear:
        named["pooled"] = Layer(linear[-1], side="input")
    return named


def _activated(classifier: Mapping[str, nn.Module], name: str) -> Layer:
    """The ReLU after a fully connected layer."""
    names = list(classifier)
    after = names[names.index(name) + 1]
    return Layer(f"classifier.{after if isinstance(classifier[after], nn.ReLU) else name}")


def find_conv_layer(net: nn.Module, run: Callable[[], object]) -> Layer | None:
    """The module that gives the last feature map before ``run()``, one pass, pools it; None where there is none."""
    import torchvision

    if isinstance(net, torchvision.models.VisionTransformer):
        return Layer("encoder", reduce="map", prefix_tokens=1)
    maps: list[str] = []

    def note(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, found: Any) -> None:
            if isinstance(found, torch.Tensor) and found.ndim == 4 and min(found.shape[2:]) > 1:
                maps.append(path)

        return hook

    handles = [module.register_forward_hook(note(path)) for path, module in net.named_modules() if path]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return Layer(maps[-1]) if maps else None


class _Reached(BaseException):
    """Ends a pass at the layer that was asked for; no `Exception`, so that no network catches it."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value


def layer_output(net: nn.Module, layer: Layer, run: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What a layer gives while ``run()`` passes something through ``net``, which goes no further than that.

    Stopping there saves time, and keeps the value from a following in-place ReLU.
    """
    if not layer.path:
        return reduce_output(run(), layer)

    def after(module: nn.Module, given: Any, found: torch.Tensor) -> None:
        raise _Reached(found)

    def before(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        raise _Reached(given[0])

    module = net.get_submodule(layer.path)
    output = layer.side == "output"
    handle = module.register_forward_hook(after) if output else module.register_forward_pre_hook(before)
    try:
        run()
    except _Reached as reached:
        return reduce_output(reached.value, layer)
    finally:
        handle.remove()
    raise RuntimeError(f"{layer.path} of {type(net).__name__} is never run")


def reduce_output(value: torch.Tensor, layer: Layer) -> torch.Tensor:
    """The feature that a layer means, from what its module gives."""
    if layer.reduce == "mean":
        return value.mean((2, 3))
    if layer.reduce == "nhwc":
        return value.permute(0, 3, 1, 2)
    if layer.reduce == "map":
        tokens = value[:, layer.prefix_tokens :]
        side = round(tokens.shape[1] ** 0.5)
        return tokens.transpose(1, 2).reshape(len(tokens), tokens.shape[2], side, side)
    return value
