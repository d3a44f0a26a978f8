"""Loading of weights from files, with errors that name the file, the key and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from relattr.errors import BadInput
from relattr.system.reading import require_regular


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read the state dict in a ``.safetensors``, ``.pth`` or ``.bin`` file.

    Code in a file is never executed: pickled objects other than tensors and built-in containers are refused.
    Raises `BadInput`, naming the file, if it cannot be read or is damaged.
    """
    try:
        require_regular(path)
    except OSError as error:
        raise BadInput(f"weights file {path} cannot be read: {error.strerror}") from error
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise many kinds of errors for a damaged file
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise BadInput(
            f"weights file {path} cannot be read: {reason}. It may be truncated: download it again"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise BadInput(f"weights file {path} does not contain a state dict: expected a mapping of names to tensors")
    return dict(content)


def load_weights(net: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load a complete state dict of matching shapes into a network.

    Raises `BadInput`, naming the file, the key, and the expected and actual shape, if it does not match.
    """
    mismatch = state_dict_mismatch(net, weights)
    if mismatch:
        raise BadInput(f"weights file {path} does not fit {type(net).__name__}: {mismatch}")
    net.load_state_dict(
        dict(weights), strict=False
    )  # strict but for counters, which `state_dict_mismatch` lets be absent


def state_dict_mismatch(net: nn.Module, weights: Mapping[str, torch.Tensor]) -> str:
    """Describe how a state dict differs from the network's in keys, shapes or dtype; empty if it fits."""
    expected = net.state_dict()
    # num_batches_tracked is not used at inference, and old files lack it
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
