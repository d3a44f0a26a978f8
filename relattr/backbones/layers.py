"""Layers of a network by name: common names for well-known layers, module paths for all others.

===========  ==============================================================================================
``pooled``   input of the classifier's last layer: fc7 of AlexNet and VGG, the pooled features of others
``conv``     the last feature map before global pooling: pool5 of AlexNet
``pool5``    AlexNet, VGG: the same as ``conv``
``spatial``  ``pool5`` if the network has it (9,216 numbers for AlexNet), otherwise ``conv/3``
``fc6 fc7``  AlexNet, VGG: fully connected layers after their ReLU
``fc8``      AlexNet, VGG: class scores
``pool10``   SqueezeNet: class scores, its last layer
``scores``   all networks: the output
===========  ==============================================================================================

A feature map's name followed by ``/k`` averages it over k x k equal parts of the image: ``conv/3`` has 9 positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from relattr.errors import BadInput


@dataclass(frozen=True)
class Layer:
    """Location of a feature in a network.

    Parameters
    ----------
    path : the module; empty for the network itself.
    side : whether the feature is the input or the output of the module.
    reduce : how it is transformed: not at all, averaged over positions ("mean"), from tokens to a feature map ("map"),
        or from channels last to channels first ("nhwc").
    prefix_tokens : tokens to drop before "map", such as the class token.
    parts : a feature map is averaged over ``parts x parts`` equal parts of the image; 0 leaves it as it is.
    """

    path: str
    side: Literal["input", "output"] = "output"
    reduce: Literal["", "mean", "map", "nhwc"] = ""
    prefix_tokens: int = 0
    parts: int = 0


def named_layers(net: nn.Module) -> dict[str, Layer]:
    """Return the named layers of a network; see the top of this module.

    ``conv`` is missing if finding it takes a forward pass; see `find_conv_layer`.
    """
    named = {"scores": Layer("")}
    linear = [path for path, module in net.named_modules() if isinstance(module, nn.Linear)]
    parts = dict(net.named_children())
    if isinstance(parts.get("features"), nn.Sequential) and isinstance(parts.get("classifier"), nn.Sequential):
        named["conv"] = Layer("features")
        classifier = dict(parts["classifier"].named_children())
        dense = [name for name, module in classifier.items() if isinstance(module, nn.Linear)]
        if len(dense) == 3:  # AlexNet and VGG
            named["pool5"] = Layer("features")
            named["fc6"], named["fc7"] = (_after_relu(classifier, name) for name in dense[:2])
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


def _after_relu(classifier: Mapping[str, nn.Module], name: str) -> Layer:
    """Return the ReLU after a fully connected layer, or the layer itself if there is none."""
    names = list(classifier)
    after = names[names.index(name) + 1]
    return Layer(f"classifier.{after if isinstance(classifier[after], nn.ReLU) else name}")


def find_conv_layer(net: nn.Module, run: Callable[[], object]) -> Layer | None:
    """Return the module with the last spatial output in ``run()``, a forward pass of ``net``; None if there is none."""
    import torchvision

    if isinstance(net, torchvision.models.VisionTransformer):
        return Layer("encoder", reduce="map", prefix_tokens=1)
    maps: list[str] = []

    def recorder(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                maps.append(path)

        return hook

    handles = [module.register_forward_hook(recorder(path)) for path, module in net.named_modules() if path]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return Layer(maps[-1]) if maps else None


class _StopForward(BaseException):
    """Stops a forward pass at a layer; not an `Exception`, so that no network catches it."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value


def layer_output(net: nn.Module, layer: Layer, run: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return the output of a layer in ``run()``, a forward pass of ``net``, which is stopped at the layer.

    Stopping saves time, and protects the output from a subsequent in-place ReLU.
    """
    if not layer.path:
        return reduce_output(run(), layer)

    def after(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        raise _StopForward(output)

    def before(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        raise _StopForward(inputs[0])

    module = net.get_submodule(layer.path)
    output = layer.side == "output"
    handle = module.register_forward_hook(after) if output else module.register_forward_pre_hook(before)
    try:
        run()
    except _StopForward as stop:
        return reduce_output(stop.value, layer)
    finally:
        handle.remove()
    raise RuntimeError(f"the forward pass of {type(net).__name__} does not call {layer.path}")


def reduce_output(value: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Transform the output of a layer's module into its feature, as ``layer.reduce`` and ``layer.parts`` say.

    Raises `BadInput` if a layer without positions is to be averaged over parts of the image.
    """
    value = _reduce(value, layer)
    if not layer.parts:
        return value
    if value.ndim != 4:
        raise BadInput(f"/{layer.parts} needs a feature map; the output of the layer is {tuple(value.shape[1:])}")
    return nn.functional.adaptive_avg_pool2d(value, layer.parts)


def _reduce(value: torch.Tensor, layer: Layer) -> torch.Tensor:
    if layer.reduce == "mean":
        return value.mean((2, 3))
    if layer.reduce == "nhwc":
        return value.permute(0, 3, 1, 2)
    if layer.reduce == "map":
        tokens = value[:, layer.prefix_tokens :]
        side = round(tokens.shape[1] ** 0.5)
        return tokens.transpose(1, 2).reshape(len(tokens), tokens.shape[2], side, side)
    return value
