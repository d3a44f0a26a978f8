"""Backbones: any classification network of torchvision or timm, or a registered one, with its layers by name.

``Backbone.create("alexnet")`` gives the network with its weights, in evaluation mode: dropout is off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from relattr.backbones.layers import Layer, find_conv_layer, layer_output, named_layers, reduce_output
from relattr.backbones.loading import load_weights, read_state_dict, state_dict_mismatch
from relattr.backbones.names import (
    BUILT_IN_BACKBONES,
    Preprocessing,
    ResolvedBackbone,
    registered_backbones,
    resolve_backbone,
)
from relattr.backbones.weights import PretrainedWeights, WeightsFile, fetch_weights
from relattr.errors import BadInput, UnknownName

T = TypeVar("T")


class Backbone(nn.Module):
    """A network, its layers by name, and how pixels become its input.

    Parameters
    ----------
    net : the network; it takes ``(n, 3, h, w)`` float.
    name : what it is called in messages and keys.
    preprocessing : how pixels become its input.
    layers : more names for layers, beside those of `relattr.backbones.layers`.
    fingerprint : what decides its weights.
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
        if _is_timm(net):  # they say themselves what their pooled features are, with or without a classifier
            self._layers["pooled"] = Layer(TIMM_POOLED)
            self._layers.pop("conv", None)
        modules = dict(net.named_modules())
        for alias, path in (layers or {}).items():
            if path not in modules:
                raise BadInput(f"layer {alias!r} of {name} names the module {path!r}, which is not there")
            self._layers[alias] = Layer(path)
        self._shapes: dict[tuple[str, int], tuple[int, ...]] = {}

    @classmethod
    def create(cls, backbone: str, *, pretrained: bool = True) -> Backbone:
        """The backbone of this name, in evaluation mode, on the CPU.

        ``pretrained=False`` gives fresh weights from torch's global generator. Raises `UnknownName` with the
        nearest names, `Blocked` if the weights are not there and cannot be downloaded, `BadInput` if they
        do not fit.
        """
        known = resolve_backbone(backbone)
        own = registered_backbones().get(known.name) if known.library == "registered" else None
        if own is not None:
            if not pretrained and own.untrained is None:
                raise BadInput(f"backbone {backbone} can only be had with its weights")
            net = own.build() if pretrained or own.untrained is None else own.untrained()
            fingerprint = own.fingerprint() if pretrained else "untrained"
            return cls(net, backbone, own.preprocessing, dict(own.layers), fingerprint).eval()
        file = fetch_weights(backbone) if pretrained else None
        fingerprint = file.sha256 if file else "untrained"
        if known.name in BUILT_IN_BACKBONES and known.library == "registered":
            from relattr.backbones import caffenet

            net, preprocessing = caffenet.CaffeNet(), caffenet.PREPROCESSING
        elif known.library == "torchvision":
            net, preprocessing = _torchvision(known)
        else:
            net, preprocessing = _timm(known, file)
        if file is not None and known.library != "timm":
            load_weights(net, read_state_dict(file.path), file.path)
        return cls(net, backbone, preprocessing, None, fingerprint).eval()

    @property
    def input_size(self) -> int:
        """Pixels a side of the square it takes."""
        return self.preprocessing.input_size

    @property
    def layer_names(self) -> list[str]:
        """The layers with names of their own; any module path is a layer too."""
        return [*self._layers, *(["conv"] if "conv" not in self._layers else [])]

    @property
    def default_layer(self) -> str:
        """The layer before the classifier's last: AlexNet's and VGG's fc7, the pooled features of others."""
        if "fc7" in self._layers:
            return "fc7"
        return "pooled" if "pooled" in self._layers else "scores"

    def layer(self, name: str | None = None) -> Layer:
        """Where a layer is. Raises `UnknownName` with the nearest names."""
        name = name or self.default_layer
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
        """Class scores, ``(n, classes)``."""
        return self.net(x)

    def forward_features(self, x: torch.Tensor, layer: str | None = None) -> torch.Tensor:
        """What a layer gives for ``(n, 3, h, w)`` input: ``(n, d)``, or ``(n, c, h', w')`` for a map."""
        where = self.layer(layer)
        if where.path in (TIMM_MAP, TIMM_POOLED):
            found = self.net.forward_features(x)  # type: ignore[operator]
            if where.path == TIMM_POOLED:
                found = self.net.forward_head(found, pre_logits=True)  # type: ignore[operator]
            return reduce_output(found, where)
        return layer_output(self.net, where, lambda: self.net(x))

    def conv_features(self, x: torch.Tensor) -> torch.Tensor:
        """The last feature map before pooling, ``(n, c, h', w')``: what AlexNet calls pool5.

        Raises `BadInput` if the network has no such map.
        """
        found = self.forward_features(x, "conv")
        if found.ndim != 4:
            raise BadInput(f"{self.name} has no feature map: its layer gives {tuple(found.shape[1:])} an image")
        return found

    @property
    def conv_channels(self) -> int:
        """The channels of `conv_features`."""
        return self.feature_shape("conv")[0]

    def feature_shape(self, layer: str | None = None, input_size: int | None = None) -> tuple[int, ...]:
        """The shape of what a layer gives for one image; found without computing anything."""
        size = input_size or self.input_size
        key = (layer or self.default_layer, size)
        if key not in self._shapes:
            self._shapes[key] = tuple(self._imagined(size, lambda x: self.forward_features(x, layer)).shape[1:])
        return self._shapes[key]

    def feature_dim(self, layer: str | None = None, input_size: int | None = None) -> int:
        """How many numbers a layer gives for one image."""
        return int(torch.Size(self.feature_shape(layer, input_size)).numel())

    def _imagined(self, size: int, run: Callable[[torch.Tensor], T]) -> T:
        """What ``run`` gives for one image, as tensors without data where the network allows that."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                try:
                    with meta_tensors(self):
                        return run(torch.empty(1, 3, size, size, device="meta"))
                except (RuntimeError, TypeError):  # it looks at the numbers, so it must be given some
                    like = next(self.parameters(), torch.empty(0))
                    return run(torch.zeros(1, 3, size, size, device=like.device, dtype=like.dtype))
        finally:
            self.train(training)

    def _find_conv(self) -> Layer:
        if _is_timm(self.net):
            found = self._imagined(self.input_size, self.net.forward_features)  # type: ignore[arg-type]
            if found.ndim == 3:
                prefix = int(getattr(self.net, "num_prefix_tokens", 0))
                if round((found.shape[1] - prefix) ** 0.5) ** 2 == found.shape[1] - prefix:
                    return Layer(TIMM_MAP, reduce="map", prefix_tokens=prefix)
            if found.ndim == 4:
                nhwc = str(getattr(self.net, "output_fmt", "NCHW")).upper().endswith("NHWC")
                return Layer(TIMM_MAP, reduce="nhwc" if nhwc else "")
            raise BadInput(f"{self.name} has no feature map: its features are {tuple(found.shape[1:])} an image")
        layer = self._imagined(self.input_size, lambda x: find_conv_layer(self.net, lambda: self.net(x)))
        if layer is None:
            raise BadInput(f"{self.name} has no feature map: none of its modules gives one")
        return layer


TIMM_MAP, TIMM_POOLED = "forward_features()", "forward_head()"
"""Layers of timm networks that are methods of the network, not modules in it."""


def _is_timm(net: nn.Module) -> bool:
    return hasattr(net, "forward_features") and hasattr(net, "forward_head")


class meta_tensors:  # noqa: N801  a context manager reads as a verb here
    """Inside, the tensors of a module hold no data, so that a pass through it costs nothing."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.kept: list[tuple[dict[str, Any], str, torch.Tensor]] = []

    def __enter__(self) -> None:
        for module in self.module.modules():
            tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
            for table in tables:
                for key, value in table.items():
                    if value is not None:
                        self.kept.append((table, key, value))
                        empty = torch.empty_like(value, device="meta")
                        if isinstance(value, nn.Parameter):
                            empty = nn.Parameter(empty, requires_grad=False)
                        table[key] = empty

    def __exit__(self, *_: object) -> None:
        for table, key, value in self.kept:
            table[key] = value


def _torchvision(known: ResolvedBackbone) -> tuple[nn.Module, Preprocessing]:
    """A torchvision network with fresh weights, and how its published weights want their input."""
    from torchvision import models
    from torchvision.transforms import InterpolationMode

    weights = models.get_model_weights(known.name).DEFAULT
    more: dict[str, Any] = {}
    if known.name.startswith("vit_"):
        more["image_size"] = weights.meta["min_size"][0]  # the file has one position code for each patch of it
    if known.name in ("googlenet", "inception_v3"):
        more = {"transform_input": True, "init_weights": False}  # as the published weights were trained
    net = models.get_model(known.name, weights=None, **more)
    told = weights.transforms()
    preprocessing = Preprocessing(
        input_size=told.crop_size[0],
        resize=max(told.resize_size[0], told.crop_size[0]),
        mean=tuple(told.mean),
        std=tuple(told.std),
        bicubic=told.interpolation == InterpolationMode.BICUBIC,
    )
    return net, preprocessing


def _timm(known: ResolvedBackbone, file: WeightsFile | None) -> tuple[nn.Module, Preprocessing]:
    """A timm network with the weights of this file, or fresh ones, and how it wants its input."""
    import timm

    net = timm.create_model(known.name, pretrained=False)
    if file is not None:
        weights = read_state_dict(file.path)
        if not state_dict_mismatch(net, weights):
            load_weights(net, weights, file.path)
        else:  # many files on the hub are in an older layout, which timm knows how to convert
            try:
                net = timm.create_model(known.name, pretrained=True, pretrained_cfg_overlay={"state_dict": weights})
            except (RuntimeError, KeyError, AttributeError, ValueError) as error:
                raise BadInput(
                    f"weights file {file.path} does not fit timm's {known.name}: {state_dict_mismatch(net, weights)}"
                ) from error
    cfg = timm.data.resolve_model_data_config(net)
    size = cfg["input_size"][1]
    return net, Preprocessing(
        input_size=size,
        resize=max(size, int(size / cfg["crop_pct"])),
        mean=tuple(cfg["mean"]),
        std=tuple(cfg["std"]),
        bicubic=cfg["interpolation"] == "bicubic",
    )


def weights_fingerprint(backbone: str) -> str:
    """What decides the weights of the backbone of this name, without building it."""
    return PretrainedWeights(backbone).fingerprint()
