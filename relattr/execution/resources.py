"""The CPUs and GPUs of this machine, and the default number of cells that run in parallel. Does not import torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from relattr.errors import BadInput, shortened


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


def check_device(device: str, *, here: bool = True, option: str = "--device") -> None:
    """Raise `BadInput` unless ``device`` is the name of a device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    With ``here``, the device must also exist on this machine. What ``nvidia-smi`` lists is believed; otherwise PyTorch
    is asked, in another process. ``option`` is what messages call it.
    """
    match = re.fullmatch(r"(auto|cpu|mps|cuda)(?::([0-9]{1,4}))?", device)
    if match is None or (match[2] is not None and match[1] != "cuda"):
        raise BadInput(
            f"{option} {shortened(device)!r} is not a device; expected auto, cpu, cuda (the first GPU), cuda:0, cuda:1 "
            "or mps"
        )
    kind, index = match[1], int(match[2] or 0)
    if not here or kind in ("auto", "cpu"):
        return
    n_devices = len(visible_gpus()) if kind == "cuda" else 0
    if n_devices <= index:
        n_devices = max(n_devices, _count_torch_devices(kind))
    if n_devices <= index:
        what = {0: f"no {kind} device", 1: f"one {kind} device, {kind}:0"}.get(
            n_devices, f"{n_devices} {kind} devices, {kind}:0 to {kind}:{n_devices - 1}"
        )
        raise BadInput(f"{option} {device}: this machine has {what}; {option} cpu or auto runs without it")


def resolve_device(device: str) -> str:
    """The device that ``auto`` stands for: the first GPU, or the processor if there is none."""
    if device != "auto":
        return device
    return "cuda" if visible_gpus() else "cpu"


def _count_torch_devices(kind: str) -> int:
    """The number of CUDA or MPS devices that PyTorch can use. It is imported in another process."""
    code = {
        "cuda": "import torch; print(torch.cuda.device_count())",
        "mps": "import torch; print(int(torch.backends.mps.is_available()))",
    }[kind]
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
        return int(done.stdout.split()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0


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
