"""Where training stands, in one file: from it a killed run goes on to the same result as one that was not killed.

Nothing that is drawn has a state to be kept: batches, crops and dropout are drawn anew for each step, from the seed
and the step's number. So weights, momentum, the step and the curve are all there is. No pickle: safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from relattr.system.atomic import write_bytes


def write(path: Path, network: nn.Module, made: torch.optim.SGD, step: int, curve: list[list[float]], key: str) -> None:
    """Keep where training stands after ``step`` steps; ``key`` says of which training."""
    from safetensors.torch import save

    tensors = {f"network {name}": value.contiguous() for name, value in network.state_dict().items()}
    for k, parameter in enumerate(_parameters(made)):
        momentum = made.state[parameter].get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum {k}"] = momentum.contiguous()
    write_bytes(path, save(tensors, metadata={"key": key, "step": str(step), "curve": json.dumps(curve)}))


def read(path: Path, network: nn.Module, made: torch.optim.SGD, key: str) -> tuple[int, list[list[float]]]:
    """Go back to where training stood; the step and the curve, (0, []) where there is no such file of this training."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("key") != key:
                return 0, []
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError):
        return 0, []  # not there, or cut short: begin anew
    network.load_state_dict({n.removeprefix("network "): v for n, v in tensors.items() if n.startswith("network ")})
    for k, parameter in enumerate(_parameters(made)):
        if f"momentum {k}" in tensors:
            made.state[parameter]["momentum_buffer"] = tensors[f"momentum {k}"].to(parameter.device)
    return int(about["step"]), json.loads(about["curve"])


def _parameters(made: torch.optim.SGD) -> list[torch.Tensor]:
    return [p for group in made.param_groups for p in group["params"]]
