"""The state of training in one file, from which a killed run continues to the same result as an uninterrupted one.

Random numbers have no state to be saved: batches, crops and dropout of a step are drawn from the seed and the step's
number. The file holds weights, the optimiser's state, step and learning curve, as safetensors (no pickle), followed by
the CRC-32 of these bytes: a damaged file is not continued from.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import torch
from torch import nn

from relattr.system.atomic import atomic_replace
from relattr.system.reading import MAX_TABLE, read_bytes

_CRC_SIZE = 4


def save_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, step: int, curve: list[list[float]], key: str
) -> None:
    """Save the state after ``step`` steps; ``key`` identifies the training run."""
    from safetensors.torch import save

    tensors = {f"network {name}": value.contiguous() for name, value in network.state_dict().items()}
    for k, parameter in enumerate(_parameters(optimiser)):
        for name, value in optimiser.state[parameter].items():  # SGD: momentum; AdamW: two moments and the step
            if isinstance(value, torch.Tensor):
                tensors[f"optimiser {k} {name}"] = value.contiguous()
    content = save(tensors, metadata={"key": key, "step": str(step), "curve": json.dumps(curve)})
    with atomic_replace(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(zlib.crc32(content).to_bytes(_CRC_SIZE, "little"))


def load_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, key: str
) -> tuple[int, list[list[float]]]:
    """Restore network and optimiser. Returns the step and the curve, or (0, []) without a valid file with this key."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        stored = read_bytes(path, MAX_TABLE)
        content = stored[:-_CRC_SIZE]
        if zlib.crc32(content).to_bytes(_CRC_SIZE, "little") != stored[-_CRC_SIZE:]:
            return 0, []
        header_size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + header_size]).get("__metadata__", {})
        if metadata.get("key") != key:
            return 0, []
        tensors = load(content)
    except (OSError, SafetensorError, ValueError):
        return 0, []  # missing or damaged: start again
    network.load_state_dict({n.removeprefix("network "): v for n, v in tensors.items() if n.startswith("network ")})
    parameters = _parameters(optimiser)
    for key_of_tensor, value in tensors.items():
        if key_of_tensor.startswith("optimiser "):
            _, k, name = key_of_tensor.split(" ")
            # AdamW counts its steps on the CPU, wherever the parameters are
            optimiser.state[parameters[int(k)]][name] = value if name == "step" else value.to(parameters[int(k)].device)
    return int(metadata["step"]), json.loads(metadata["curve"])


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [p for group in optimiser.param_groups for p in group["params"]]
