"""The processors and GPUs of this machine, and how many cells run on them at once. Loads no torch."""

from __future__ import annotations

import os
import shutil
import subprocess


def visible_gpus() -> list[str]:
    """The GPUs that processes here may use, as CUDA_VISIBLE_DEVICES names them; empty where there is none.

    CUDA_VISIBLE_DEVICES decides where it is set; otherwise ``nvidia-smi`` is asked.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None and not named.strip():
        return []
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        said = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    there = [line for line in said.splitlines() if line.startswith("GPU ")]
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()][: len(there)]
    return [str(k) for k in range(len(there))]


MOST_JOBS = 8
"""Cells at once, at most: each needs memory of its own."""


def processors() -> int:
    """The processor threads this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jobs_by_default(threads: int, device: str) -> int:
    """How many cells run at once: one on each GPU; without one, as many as the processors hold, up to `MOST_JOBS`.

    ``threads`` is how many of them a cell uses; 0: all of them.
    """
    gpus = len(visible_gpus()) if device in ("auto", "cuda") else 0
    if gpus:
        return gpus
    return max(1, min(MOST_JOBS, processors() // threads)) if threads else 1
