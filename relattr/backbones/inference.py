"""Optimised inference up to one layer of a backbone; results equal `Backbone.forward_features` up to rounding.

The optimisations, wherever they apply: modules after the layer are removed; batch normalisation is folded into the
preceding convolution; weights are stored channels last, in bfloat16 if requested; on the CPU, a convolution or fully
connected layer and its ReLU or ReLU6 are fused into one oneDNN call, with weights packed once instead of at every call.
A network that cannot be traced, or whose optimised outputs differ from the original ones on a trial input, runs without
optimisation.
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
"""Largest relative difference from the original network on a trial input of noise for the optimised form to be used."""


def optimised_forward(
    backbone: Backbone, layer: str, *, dtype: torch.dtype, device: torch.device, batch_size: int, input_size: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function from inputs ``(n, 3, input_size, input_size)`` float32 to the features of the layer, float32.

    The backbone must not be used afterwards: its weights are moved and converted in place. Call the function in
    inference mode. ``batch_size`` is the batch size to optimise for; any other works.
    """
    backbone.eval()
    trial = torch.randn(1, 3, input_size, input_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = backbone.forward_features(trial, layer).float()
    target = backbone.layer(layer)
    try:
        with torch.no_grad():
            net = _truncate(backbone, target)
            _fold_batch_norm(net)
            net.to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
            if device.type == "cpu" and (dtype == torch.float32 or has_bf16(device)):
                _fuse_activations(net, (batch_size, 3, input_size, input_size), dtype)
        optimised = _CastToFloat32(net, target, dtype, device)
        with torch.inference_mode():
            output = optimised(trial).cpu()
        difference = float((output - expected).norm() / expected.norm().clamp_min(1e-12))
        if output.shape == expected.shape and difference <= TOLERANCE[dtype]:
            return optimised
        _log.info("%s up to %s: optimised outputs differ by %.1e; not optimised", backbone.name, layer, difference)
    except Exception as error:  # arbitrary model code can fail to trace in any way
        _log.info("%s up to %s: cannot be optimised (%s)", backbone.name, layer, error)
    original = _Original(backbone, layer).to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
    return _CastToFloat32(original, Layer(""), dtype, device)


def has_bf16(device: torch.device | str = "cpu") -> bool:
    """Return whether the device has native bfloat16 matrix products; without them, bfloat16 is far slower than fp32."""
    kind = torch.device(device).type
    if kind == "cpu":
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class _Original(nn.Module):
    def __init__(self, backbone: Backbone, layer: str) -> None:
        super().__init__()
        self.backbone, self.layer = backbone, layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.backbone.forward_features(x, self.layer)


class _CastToFloat32(nn.Module):
    """Cast inputs to the network's dtype and outputs to float32; pooling is in float32."""

    def __init__(self, net: nn.Module, layer: Layer, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.net, self.layer, self.dtype, self.device = net, layer, dtype, device

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(device=self.device, dtype=self.dtype, memory_format=torch.channels_last)
        return reduce_output(self.net(x).float(), self.layer)


class _TimmFeatures(nn.Module):
    def __init__(self, net: nn.Module, pooled: bool) -> None:
        super().__init__()
        self.net, self.pooled = net, pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.net.forward_features(x)  # type: ignore[operator]
        return self.net.forward_head(x, pre_logits=True) if self.pooled else x  # type: ignore[operator]


def _truncate(backbone: Backbone, layer: Layer) -> fx.GraphModule:
    """Trace the network into a graph that ends at the module of a layer."""
    net = backbone.net
    if layer.path in (TIMM_MAP, TIMM_POOLED):
        net = _TimmFeatures(net, layer.path == TIMM_POOLED)
        layer = Layer("")
    graph = fx.Tracer().trace(net)
    output = next(node for node in graph.nodes if node.op == "output")
    last: Any = output.args[0]
    if layer.path:
        if layer.side == "input":
            last = next(node for node in graph.nodes if node.op == "call_module" and node.target == layer.path).args[0]
        else:
            last = [node for node in graph.nodes if _is_inside(node, layer.path)][-1]
    # remove everything after the layer: a subsequent in-place ReLU would change its output
    for node in reversed(list(graph.nodes)):
        if node is last:
            break
        graph.erase_node(node)
    graph.output(last)
    traced = fx.GraphModule(net, graph)
    traced.graph.eliminate_dead_code()
    traced.graph.lint()
    traced.recompile()
    return traced


def _is_inside(node: fx.Node, path: str) -> bool:
    """Return whether a node of the graph belongs to the module at this path or one of its submodules."""
    return (node.op == "call_module" and node.target == path) or path in node.meta.get("nn_module_stack", {})


def _single_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _module(net: fx.GraphModule, node: fx.Node | None) -> nn.Module | None:
    return net.get_submodule(str(node.target)) if node is not None and node.op == "call_module" else None


def _n_calls(net: fx.GraphModule, node: fx.Node) -> int:
    return sum(other.op == "call_module" and other.target == node.target for other in net.graph.nodes)


def _replace(net: fx.GraphModule, node: fx.Node, module: nn.Module, absorbed: fx.Node | None) -> None:
    """Call this module at a node, in place of its module and that of the ``absorbed`` next node."""
    name = f"fused_{node.name}"
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

_Activation = tuple[str, list[float]]
"""An activation as oneDNN's calls take it: its name and its parameters."""
_NO_ACTIVATION: _Activation = ("none", [])
_RELU: _Activation = ("relu", [])
_RELU6: _Activation = ("hardtanh", [0.0, 6.0])


def _activation(net: fx.GraphModule, node: fx.Node | None) -> _Activation:
    """Return the activation that a node of the graph computes; `_NO_ACTIVATION` if it is none that can be fused."""
    if node is None:
        return _NO_ACTIVATION
    if node.op == "call_function":
        return _RELU if node.target in _RELU_FUNCTIONS else _NO_ACTIVATION
    if node.op == "call_method":
        return _RELU if node.target in ("relu", "relu_") else _NO_ACTIVATION
    return {nn.ReLU: _RELU, nn.ReLU6: _RELU6}.get(type(_module(net, node)), _NO_ACTIVATION)  # type: ignore[arg-type]


def _fuse_activations(net: fx.GraphModule, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Fuse every convolution and fully connected layer with a following ReLU or ReLU6 into one oneDNN call."""
    shapes = _input_shapes(net, shape, dtype)
    for node in list(net.graph.nodes):
        module = _module(net, node)
        if module is None or _n_calls(net, node) > 1:
            continue
        after = _single_user(node)
        activation = _activation(net, after)
        absorbed = None if activation == _NO_ACTIVATION else after
        zero_padding = (
            type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)
        )
        if type(module) is nn.Conv2d and zero_padding:
            _replace(net, node, _FusedConv(module, activation, shapes[node.name]), absorbed)
        elif type(module) is nn.Linear and len(shapes[node.name]) == 2:
            _replace(net, node, _FusedLinear(module, activation, shapes[node.name]), absorbed)
    net.delete_all_unused_submodules()
    net.recompile()


def _input_shapes(net: fx.GraphModule, shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, tuple[int, ...]]:
    """Return the input shape of each module for one batch, by a forward pass on the meta device."""
    shapes: dict[str, tuple[int, ...]] = {}

    class RecordShapes(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            if n.op == "call_module" and isinstance(n.args[0], fx.Node):
                shapes[n.name] = tuple(self.env[n.args[0]].shape)
            return super().run_node(n)

    with meta_tensors(net):
        RecordShapes(net, garbage_collect_values=False).run(torch.empty(shape, dtype=dtype, device="meta"))
    return shapes


class _FusedConv(nn.Module):
    """A convolution and an optional activation as one oneDNN call."""

    def __init__(self, conv: nn.Conv2d, activation: _Activation, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight.detach(), *self.geometry, list(shape))
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.activation, self.limits = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        after = (self.activation, self.limits, "")
        return torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *self.geometry, *after)


class _FusedLinear(nn.Module):
    """A fully connected layer and an optional activation as one oneDNN call."""

    def __init__(self, linear: nn.Linear, activation: _Activation, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), shape[0])
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.activation, self.limits = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, self.limits, "")
