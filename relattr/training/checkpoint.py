"""The state of training in one file, from which a killed run continues to the same result as an uninterrupted one.

Random numbers have no state to be saved: batches, crops and dropout of a step are drawn from the seed and the step's
number. The file holds weights, momentum, step and learning curve, as safetensors (no pickle).
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from relattr.system.atomic import write_bytes


def save_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.SGD, step: int, curve: list[list[float]], key: str
) -> None:
    """Save the state after ``step`` steps; ``key`` identifies the training run."""
    from safetensors.torch import save

    tensors = {f"network {name}": value.contiguous() for name, value in network.state_dict().items()}
    for k, parameter in enumerate(_parameters(optimiser)):
        momentum = optimiser.state[parameter].get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum {k}"] = momentum.contiguous()
    write_bytes(path, save(tensors, metadata={"key": key, "step": str(step), "curve": json.dumps(curve)}))


def load_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.SGD, key: str
) -> tuple[int, list[list[float]]]:
    """Restore network and optimiser; the step and the curve, or (0, []) without a valid file with this key."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("key") != key:
                return 0, []
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError):
        return 0, []  # missing or truncated: start again
    network.load_state_dict({n.removeprefix("network "): v for n, v in tensors.items() if n.startswith("network ")})
    for k, parameter in enumerate(_parameters(optimiser)):
        if f"momentum {k}" in tensors:
            optimiser.state[parameter]["momentum_buffer"] = tensors[f"momentum {k}"].to(parameter.device)
    return int(metadata["step"]), json.loads(metadata["curve"])


def _parameters(optimiser: torch.optim.SGD) -> list[torch.Tensor]:
    return [p for group in optimiser.param_groups for p in group["params"]]
