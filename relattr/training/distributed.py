"""Several processes that train one network together: torchrun starts them, torch's own DistributedDataParallel
averages their gradients. Alone, a process is a group of one, and nothing of it is set up.
"""

from __future__ import annotations

import os

import torch
from torch import nn


def world() -> tuple[int, int]:
    """The number of this process, and how many there are. Joins the others at the first call under torchrun."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return 0, 1
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def local_device(device: str) -> str:
    """The device of this process: under torchrun, each takes a GPU of its own."""
    if device == "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return device


def wrap_in_ddp(network: nn.Module) -> nn.Module:
    """The network, its gradients averaged over all processes; itself where there is one."""
    if world()[1] == 1:
        return network
    device = next(p for p in network.parameters() if p.numel()).device
    return nn.parallel.DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)


def wait() -> None:
    """Until all processes are here."""
    if world()[1] > 1:
        torch.distributed.barrier()
