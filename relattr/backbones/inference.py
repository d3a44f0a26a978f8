"""A backbone up to one layer, made fast for extraction; the numbers stay those of `Backbone.forward_features`.

What it does, each where it applies: nothing past the layer is computed; batch normalisation is folded into the
convolution before it; weights lie channels last, in bfloat16 where asked for; on the CPU a convolution or
fully connected layer and its ReLU are one oneDNN call, with weights laid out once and not at every call. A
network that cannot be traced, or whose fast form does not agree with the plain one on a trial input, runs plain.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from relattr.backbones.backbone import TIMM_MAP, TIMM_POOLED, Backbone, meta_tensors
from relattr.backbones.layers import Layer, reduce_output

_log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""Relative difference to the plain network on the trial input, noise, above which the fast form is not used."""


def optimised_forward(
    backbone: Backbone, layer: str, *, dtype: torch.dtype, device: torch.device, batch_size: int, input_size: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from input ``(n, 3, input_size, input_size)`` float32 to the layer's features, float32.

    The backbone is given up to it: its weights are moved and converted. Call it in inference mode.
    """
    backbone.eval()
    trial = torch.randn(1, 3, input_size, input_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = backbone.forward_features(trial, layer).float()
    where = backbone.layer(layer)
    try:
        with torch.no_grad():
            net = _upto(backbone, where)
            _fold_batch_norm(net)
            net.to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
            if device.type == "cpu" and (dtype == torch.float32 or has_bf16(device)):
                _fuse_relu(net, (batch_size, 3, input_size, input_size), dtype)
        fast = _Cast(net, where, dtype, device)
        with torch.inference_mode():
            found = fast(trial).cpu()
        difference = float((found - expected).norm() / expected.norm().clamp_min(1e-12))
        if found.shape == expected.shape and difference <= TOLERANCE[dtype]:
            return fast
        _log.info("%s up to %s: the fast form differs by %.1e, so it runs plain", backbone.name, layer, difference)
    except Exception as error:  # tracing meets whatever a network's author wrote
        _log.info("%s up to %s cannot be made fast (%s), so it runs plain", backbone.name, layer, error)
    plain = _Plain(backbone, layer).to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
    return _Cast(plain, Layer(""), dtype, device)


def has_bf16(device: torch.device | str = "cpu") -> bool:
    """Whether the device multiplies bfloat16 matrices natively; where it does not, they are far slower."""
    kind = torch.device(device).type
    if kind == "cpu":
        asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(bool(getattr(torch.cpu, name, bool)()) for name in asked)
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class _Plain(nn.Module):
    def __init__(self, backbone: Backbone, layer: str) -> None:
        super().__init__()
        self.backbone, self.layer = backbone, layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.backbone.forward_features(x, self.layer)


class _Cast(nn.Module):
    """Float32 in and out, whatever is inside; means are taken in float32."""

    def __init__(self, net: nn.Module, layer: Layer, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.net, self.layer, self.dtype, self.device = net, layer, dtype, device

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(device=self.device, dtype=self.dtype, memory_format=torch.channels_last)
        return reduce_output(self.net(x).float(), self.layer)


class _TimmUpto(nn.Module):
    def __init__(self, net: nn.Module, pooled: bool) -> None:
        super().__init__()
        self.net, self.pooled = net, pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.net.forward_features(x)  # type: ignore[operator]
        return self.net.forward_head(x, pre_logits=True) if self.pooled else x  # type: ignore[operator]


def _upto(backbone: Backbone, layer: Layer) -> fx.GraphModule:
    """The network as a graph that ends at a layer's module."""
    net = backbone.net
    if layer.path in (TIMM_MAP, TIMM_POOLED):
        net = _TimmUpto(net, layer.path == TIMM_POOLED)
        layer = Layer("")
    graph = fx.Tracer().trace(net)
    end = next(node for node in graph.nodes if node.op == "output")
    at: Any = end.args[0]
    if layer.path:
        if layer.side == "input":
            at = next(node for node in graph.nodes if node.op == "call_module" and node.target == layer.path).args[0]
        else:
            inside = [node for node in graph.nodes if _belongs(node, layer.path)]
            at = inside[-1]
    # nothing that runs after the layer may stay: an in-place ReLU there would change what the layer gave
    for node in reversed(list(graph.nodes)):
        if node is at:
            break
        graph.erase_node(node)
    graph.output(at)
    traced = fx.GraphModule(net, graph)
    traced.graph.eliminate_dead_code()
    traced.graph.lint()
    traced.recompile()
    return traced


def _belongs(node: fx.Node, path: str) -> bool:
    """Whether a step of the graph was taken by the module at this path, or by one in it."""
    return (node.op == "call_module" and node.target == path) or path in node.meta.get("nn_module_stack", {})


def _single_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _module(net: fx.GraphModule, node: fx.Node | None) -> nn.Module | None:
    return net.get_submodule(str(node.target)) if node is not None and node.op == "call_module" else None


def _uses(net: fx.GraphModule, node: fx.Node) -> int:
    return sum(other.op == "call_module" and other.target == node.target for other in net.graph.nodes)


def _replace(net: fx.GraphModule, node: fx.Node, module: nn.Module, absorbed: fx.Node | None) -> None:
    """Run this module at a node, which also does what the next one did."""
    name = f"fast_{node.name}"
    net.add_submodule(name, module)
    node.target = name
    if absorbed is not None:
        absorbed.replace_all_uses_with(node)
        net.graph.erase_node(absorbed)


def _fold_batch_norm(net: fx.GraphModule) -> None:
    for node in list(net.graph.nodes):
        conv, after = _module(net, node), _single_user(node)
        norm = _module(net, after)
        if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.track_running_stats:
            _replace(net, node, fuse_conv_bn_eval(conv, norm), after)
    net.delete_all_unused_submodules()
    net.recompile()


_RELU_FUNCTIONS = (torch.relu, torch.relu_, nn.functional.relu, nn.functional.relu_)


def _is_relu(net: fx.GraphModule, node: fx.Node | None) -> bool:
    if node is None:
        return False
    if node.op == "call_function":
        return node.target in _RELU_FUNCTIONS
    if node.op == "call_method":
        return node.target in ("relu", "relu_")
    return type(_module(net, node)) is nn.ReLU


def _fuse_relu(net: fx.GraphModule, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Make every convolution and fully connected layer, with the ReLU after it, one oneDNN call."""
    shapes = _input_shapes(net, shape, dtype)
    for node in list(net.graph.nodes):
        module = _module(net, node)
        if _uses(net, node) > 1 if module is not None else True:
            continue
        after = _single_user(node)
        relu = _is_relu(net, after)
        plain_padding = (
            type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)
        )
        if type(module) is nn.Conv2d and plain_padding:
            _replace(net, node, _FastConv(module, relu, shapes[node.name]), after if relu else None)
        elif type(module) is nn.Linear and len(shapes[node.name]) == 2:
            _replace(net, node, _FastLinear(module, relu, shapes[node.name]), after if relu else None)
    net.delete_all_unused_submodules()
    net.recompile()


def _input_shapes(net: fx.GraphModule, shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, tuple[int, ...]]:
    """The shape of what enters each module, for one batch, found without computing anything."""
    shapes: dict[str, tuple[int, ...]] = {}

    class Noting(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            if n.op == "call_module" and isinstance(n.args[0], fx.Node):
                shapes[n.name] = tuple(self.env[n.args[0]].shape)
            return super().run_node(n)

    with meta_tensors(net):
        Noting(net, garbage_collect_values=False).run(torch.empty(shape, dtype=dtype, device="meta"))
    return shapes


class _FastConv(nn.Module):
    """A convolution, and the ReLU after it if there was one, as one oneDNN call."""

    def __init__(self, conv: nn.Conv2d, relu: bool, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight.detach(), *self.geometry, list(shape))
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.after = "relu" if relu else "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *self.geometry, self.after, [], "")


class _FastLinear(nn.Module):
    """A fully connected layer, and the ReLU after it if there was one, as one oneDNN call."""

    def __init__(self, linear: nn.Linear, relu: bool, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), shape[0])
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.after = "relu" if relu else "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.after, [], "")
