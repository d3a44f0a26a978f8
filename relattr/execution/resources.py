"""The CPUs and GPUs of this machine, and the default number of cells that run in parallel. Does not import torch."""

from __future__ import annotations

import os
import shutil
import subprocess


def visible_gpus() -> list[str]:
    """The GPUs that processes may use, as CUDA_VISIBLE_DEVICES names them; empty if there is none.

    If CUDA_VISIBLE_DEVICES is set, those of its GPUs that exist; otherwise all that ``nvidia-smi`` lists.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not visible.strip():
        return []
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        output = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = [line for line in output.splitlines() if line.startswith("GPU ")]
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()][: len(gpus)]
    return [str(k) for k in range(len(gpus))]


MAX_DEFAULT_JOBS = 8
"""Upper limit on the default number of parallel cells, because each needs its own memory."""


def available_cpus() -> int:
    """The number of logical CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_jobs(threads: int, device: str) -> int:
    """The default number of cells that run in parallel.

    One for each GPU; without a GPU, as many as fit on the CPUs with ``threads`` threads each, at most
    `MAX_DEFAULT_JOBS`. ``threads=0``: a cell uses all CPUs, so one cell runs at a time.
    """
    gpus = len(visible_gpus()) if device in ("auto", "cuda") else 0
    if gpus:
        return gpus
    return max(1, min(MAX_DEFAULT_JOBS, available_cpus() // threads)) if threads else 1
