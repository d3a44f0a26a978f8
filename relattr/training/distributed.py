"""Data-parallel training: torchrun starts the processes, torch's DistributedDataParallel averages their gradients.

A single process is a group of size one, and nothing is set up for it.
"""

from __future__ import annotations

import os

import torch
from torch import nn


def rank_and_world_size() -> tuple[int, int]:
    """The rank of this process and the number of processes. Under torchrun the first call joins the process group."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return 0, 1
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def local_device(device: str) -> str:
    """The device of this process: under torchrun ``cuda`` becomes the GPU with the process's local rank."""
    if device == "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return device


def wrap_in_ddp(network: nn.Module) -> nn.Module:
    """The network wrapped so that gradients are averaged over all processes; itself for a single process."""
    if rank_and_world_size()[1] == 1:
        return network
    device = next(p for p in network.parameters() if p.numel()).device
    return nn.parallel.DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)


def barrier() -> None:
    """Wait until all processes have reached this call."""
    if rank_and_world_size()[1] > 1:
        torch.distributed.barrier()
