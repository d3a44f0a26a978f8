"""Backbones: classification networks of relattr, torchvision, timm or plugins, with named layers.

``Backbone.create("alexnet")`` returns the pretrained network in evaluation mode.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from relattr.backbones import efficientnet_lite
from relattr.backbones.layers import Layer, find_conv_layer, layer_output, named_layers, reduce_output
from relattr.backbones.loading import load_weights, read_state_dict, state_dict_mismatch
from relattr.backbones.names import (
    Preprocessing,
    ResolvedBackbone,
    registered_backbones,
    resolve_backbone,
)
from relattr.backbones.weights import PretrainedWeights, WeightsFile, fetch_weights
from relattr.errors import BadInput, UnknownName
from relattr.system.numbers import is_digits

T = TypeVar("T")


class Backbone(nn.Module):
    """A network with named layers and its preprocessing.

    Parameters
    ----------
    net : the network; takes ``(n, 3, h, w)`` float.
    name : its name in messages and cache keys.
    preprocessing : preprocessing of its inputs.
    layers : additional layer names, each with its module path; see `relattr.backbones.layers` for the others.
    fingerprint : identifies its weights.
    """

    def __init__(
        self,
        net: nn.Module,
        name: str,
        preprocessing: Preprocessing | None = None,
        layers: dict[str, str] | None = None,
        fingerprint: str = "",
    ) -> None:
        super().__init__()
        self.net = net
        self.name = name
        self.preprocessing = preprocessing or Preprocessing()
        self.fingerprint = fingerprint
        self._layers = named_layers(net)
        if _is_timm(net):  # timm defines pooled features, with or without a classifier
            self._layers["pooled"] = Layer(TIMM_POOLED)
            self._layers.pop("conv", None)
        modules = dict(net.named_modules())
        for alias, path in (layers or {}).items():
            if path not in modules:
                raise BadInput(f"layer {alias!r} of {name} refers to the module {path!r}, which does not exist")
            self._layers[alias] = Layer(path)
        self._shapes: dict[tuple[str, int], tuple[int, ...]] = {}

    @classmethod
    def create(cls, backbone: str, *, pretrained: bool = True) -> Backbone:
        """Create the backbone of this name, in evaluation mode, on the CPU.

        ``pretrained=False`` initialises weights from torch's global generator. Raises `UnknownName` with similar
        names, `Blocked` if the weights are missing and cannot be downloaded, `BadInput` if they do not fit.
        """
        source = resolve_backbone(backbone)
        plugin = registered_backbones().get(source.name) if source.library == "registered" else None
        if plugin is not None:
            if not pretrained and plugin.untrained is None:
                raise BadInput(f"backbone {backbone} is only available with pretrained weights")
            net = plugin.build() if pretrained or plugin.untrained is None else plugin.untrained()
            fingerprint = plugin.fingerprint() if pretrained else "untrained"
            return cls(net, backbone, plugin.preprocessing, dict(plugin.layers), fingerprint).eval()
        file = fetch_weights(backbone) if pretrained else None
        fingerprint = file.sha256 if file else "untrained"
        if source.library == "registered":
            net, preprocessing = _built_in(source.name)
        elif source.library == "torchvision":
            net, preprocessing = _torchvision(source)
        else:
            net, preprocessing = _timm(source, file)
        if file is not None and source.library != "timm":
            weights = read_state_dict(file.path)
            if file.place == "Python package":
                weights = efficientnet_lite.rename_released(net, weights)
            load_weights(net, weights, file.path)
        return cls(net, backbone, preprocessing, None, fingerprint).eval()

    @property
    def input_size(self) -> int:
        """Side length in px of its square input."""
        return self.preprocessing.input_size

    @property
    def layer_names(self) -> list[str]:
        """Names of its layers; any module path is a valid layer too."""
        return [*self._layers, *(["conv"] if "conv" not in self._layers else []), "spatial"]

    @property
    def default_layer(self) -> str:
        """The penultimate layer: fc7 of AlexNet and VGG, the pooled features of others."""
        if "fc7" in self._layers:
            return "fc7"
        return "pooled" if "pooled" in self._layers else "scores"

    def layer(self, name: str | None = None) -> Layer:
        """Look up a layer by name. Raises `UnknownName` with similar names."""
        name = name or self.default_layer
        if name == "spatial":
            name = "pool5" if "pool5" in self._layers else "conv/3"
        whole, _, parts = name.rpartition("/")
        if whole and is_digits(parts) and int(parts):
            return dataclasses.replace(self.layer(whole), parts=int(parts))
        if name in self._layers:
            return self._layers[name]
        if name == "conv":
            self._layers["conv"] = self._find_conv()
            return self._layers["conv"]
        modules = dict(self.net.named_modules())
        if name in modules:
            return Layer(name)
        raise UnknownName(f"layer of {self.name}", name, [*self.layer_names, *filter(None, modules)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores, ``(n, classes)``."""
        return self.net(x)

    def forward_features(self, x: torch.Tensor, layer: str | None = None) -> torch.Tensor:
        """Return the output of a layer for inputs ``(n, 3, h, w)``: ``(n, d)``, or ``(n, c, h', w')`` for a map."""
        location = self.layer(layer)
        if location.path in (TIMM_MAP, TIMM_POOLED):
            features = self.net.forward_features(x)  # type: ignore[operator]
            if location.path == TIMM_POOLED:
                features = self.net.forward_head(features, pre_logits=True)  # type: ignore[operator]
            return reduce_output(features, location)
        return layer_output(self.net, location, lambda: self.net(x))

    def conv_features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last feature map before global pooling, ``(n, c, h', w')``: pool5 of AlexNet.

        Raises `BadInput` if the network has no such map.
        """
        features = self.forward_features(x, "conv")
        if features.ndim != 4:
            raise BadInput(f"{self.name} has no feature map: its output is {tuple(features.shape[1:])} per image")
        return features

    @property
    def conv_channels(self) -> int:
        """Number of channels of `conv_features`."""
        return self.feature_shape("conv")[0]

    def feature_shape(self, layer: str | None = None, input_size: int | None = None) -> tuple[int, ...]:
        """Return the output shape of a layer for one image, inferred on the meta device where possible."""
        size = input_size or self.input_size
        key = (layer or self.default_layer, size)
        if key not in self._shapes:
            self._shapes[key] = tuple(self._dry_run(size, lambda x: self.forward_features(x, layer)).shape[1:])
        return self._shapes[key]

    def feature_dim(self, layer: str | None = None, input_size: int | None = None) -> int:
        """Return the number of output elements of a layer for one image."""
        return int(torch.Size(self.feature_shape(layer, input_size)).numel())

    def dry_run(self, input_size: int) -> None:
        """Pass one image through the network for its hooks, without computing anything where that is possible."""
        self._dry_run(input_size, self.net)

    def _dry_run(self, size: int, run: Callable[[torch.Tensor], T]) -> T:
        """Call ``run`` with one input on the meta device, or with zeros if the network does not support that."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                try:
                    with meta_tensors(self):
                        return run(torch.empty(1, 3, size, size, device="meta"))
                except (RuntimeError, TypeError):  # the forward pass depends on the data
                    like = next(self.parameters(), torch.empty(0))
                    return run(torch.zeros(1, 3, size, size, device=like.device, dtype=like.dtype))
        finally:
            self.train(training)

    def _find_conv(self) -> Layer:
        if _is_timm(self.net):
            features = self._dry_run(self.input_size, self.net.forward_features)  # type: ignore[arg-type]
            if features.ndim == 3:
                prefix = int(getattr(self.net, "num_prefix_tokens", 0))
                if round((features.shape[1] - prefix) ** 0.5) ** 2 == features.shape[1] - prefix:
                    return Layer(TIMM_MAP, reduce="map", prefix_tokens=prefix)
            if features.ndim == 4:
                nhwc = str(getattr(self.net, "output_fmt", "NCHW")).upper().endswith("NHWC")
                return Layer(TIMM_MAP, reduce="nhwc" if nhwc else "")
            raise BadInput(f"{self.name} has no feature map: its features are {tuple(features.shape[1:])} per image")
        layer = self._dry_run(self.input_size, lambda x: find_conv_layer(self.net, lambda: self.net(x)))
        if layer is None:
            raise BadInput(f"{self.name} has no feature map: no module has a spatial output")
        return layer


TIMM_MAP, TIMM_POOLED = "forward_features()", "forward_head()"
"""Layers of timm networks that are methods of the network, not modules."""


def _is_timm(net: nn.Module) -> bool:
    return hasattr(net, "forward_features") and hasattr(net, "forward_head")


@contextmanager
def meta_tensors(root: nn.Module) -> Iterator[None]:
    """Replace the parameters and buffers of a module by meta tensors, so that a forward pass infers shapes only."""
    originals: list[tuple[dict[str, Any], str, torch.Tensor]] = []
    for module in root.modules():
        tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for table in tables:
            for key, value in table.items():
                if value is not None:
                    originals.append((table, key, value))
                    empty = torch.empty_like(value, device="meta")
                    if isinstance(value, nn.Parameter):
                        empty = nn.Parameter(empty, requires_grad=False)
                    table[key] = empty
    try:
        yield
    finally:
        for table, key, value in originals:
            table[key] = value


def _built_in(name: str) -> tuple[nn.Module, Preprocessing]:
    """Build a network that relattr defines, with random weights, and the preprocessing of its weights."""
    if name == "caffenet":
        from relattr.backbones import caffenet

        return caffenet.CaffeNet(), caffenet.PREPROCESSING
    return efficientnet_lite.build_efficientnet_lite(name), efficientnet_lite.preprocessing(name)


def _torchvision(source: ResolvedBackbone) -> tuple[nn.Module, Preprocessing]:
    """Build a torchvision network with random weights, and the preprocessing of its published weights."""
    from torchvision import models
    from torchvision.transforms import InterpolationMode

    weights = models.get_model_weights(source.name).DEFAULT
    options: dict[str, Any] = {}
    if source.name.startswith("vit_"):
        options["image_size"] = weights.meta["min_size"][0]  # the position embeddings are for this size
    if source.name in ("googlenet", "inception_v3"):
        options = {"transform_input": True, "init_weights": False}  # as the published weights were trained
    net = models.get_model(source.name, weights=None, **options)
    transforms = weights.transforms()
    preprocessing = Preprocessing(
        input_size=transforms.crop_size[0],
        resize=max(transforms.resize_size[0], transforms.crop_size[0]),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        bicubic=transforms.interpolation == InterpolationMode.BICUBIC,
    )
    return net, preprocessing


def _timm(source: ResolvedBackbone, file: WeightsFile | None) -> tuple[nn.Module, Preprocessing]:
    """Build a timm network with the weights of this file, or random weights, and its preprocessing."""
    import timm

    net = timm.create_model(source.name, pretrained=False)
    if file is not None:
        weights = read_state_dict(file.path)
        if not state_dict_mismatch(net, weights):
            load_weights(net, weights, file.path)
        else:  # many files on the hub have an older layout, which timm can convert
            try:
                net = timm.create_model(source.name, pretrained=True, pretrained_cfg_overlay={"state_dict": weights})
            except (RuntimeError, KeyError, AttributeError, ValueError) as error:
                raise BadInput(
                    f"weights file {file.path} does not fit timm's {source.name}: {state_dict_mismatch(net, weights)}"
                ) from error
    config = timm.data.resolve_model_data_config(net)
    size = config["input_size"][1]
    return net, Preprocessing(
        input_size=size,
        resize=max(size, int(size / config["crop_pct"])),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        bicubic=config["interpolation"] == "bicubic",
    )


def weights_fingerprint(backbone: str) -> str:
    """Return what identifies the weights of the backbone of this name, without building it."""
    return PretrainedWeights(backbone).fingerprint()
