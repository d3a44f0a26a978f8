"""Weights from a file into a network, or an error that names the file, the key, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from relattr.errors import BadInput


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a ``.safetensors`` file, or of a ``.pth`` or ``.bin`` file of tensors alone.

    Nothing in a file is ever executed: pickled objects other than tensors and plain containers are refused.
    Raises `BadInput`, naming the file, if it cannot be read or is damaged.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in any of a dozen ways
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise BadInput(f"weights file {path} cannot be read: {reason}; is it truncated? Fetch it again") from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise BadInput(f"weights file {path} does not hold a state dict: expected names and tensors")
    return dict(found)


def load_weights(net: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Copy weights into a network; all of them, and each of the right shape.

    Raises `BadInput`, naming the file, the key, what was expected and what was found, if they do not fit.
    """
    fault = state_dict_mismatch(net, weights)
    if fault:
        raise BadInput(f"weights file {path} does not fit {type(net).__name__}: {fault}")
    net.load_state_dict(
        dict(weights), strict=False
    )  # strict but for counters, which `state_dict_mismatch` lets be absent


def state_dict_mismatch(net: nn.Module, weights: Mapping[str, torch.Tensor]) -> str:
    """How these weights differ in keys, shapes or kind from what the network holds; empty if they fit."""
    expected = net.state_dict()
    # num_batches_tracked decides nothing in a trained network, and files older than it lack it
    missing = [key for key in expected if key not in weights and not key.endswith("num_batches_tracked")]
    surplus = [key for key in weights if key not in expected]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        instead = f"; found {surplus[0]!r} instead" if surplus else ""
        return f"expected the key {missing[0]!r}, which is missing{more}{instead}"
    if surplus:
        more = f" (and {len(surplus) - 1} more)" if len(surplus) > 1 else ""
        return f"found the key {surplus[0]!r}, which the network does not have{more}"
    for key, value in weights.items():
        if value.shape != expected[key].shape:
            return f"{key!r}: expected shape {tuple(expected[key].shape)}, found {tuple(value.shape)}"
        if value.is_floating_point() != expected[key].is_floating_point():
            return f"{key!r}: expected {expected[key].dtype}, found {value.dtype}"
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            return f"{key!r}: found NaN or infinity"
    return ""
