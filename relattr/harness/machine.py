"""The machine that cells run on: its memory, processor and GPU."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from functools import cache
from pathlib import Path

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_memory() -> int:
    """Return the bytes of memory that processes may use, within the control group of this process; 0 if unknown."""
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return 0
    for path in _CGROUP_LIMITS:
        try:
            n_bytes = min(n_bytes, int(Path(path).read_text()))
        except (OSError, ValueError):  # no such control group, or "max"
            continue
    return n_bytes


@cache
def processor_name() -> str:
    """Return the model of the processor and its number of threads."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} threads"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} threads"


def device_name(device: str) -> str:
    """Return the device with the model of the GPU, if it is one and PyTorch uses it in this process.

    CUDA is not initialised for this: it would fail without a GPU, and processes forked later could not use one.
    """
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda"):
        with contextlib.suppress(Exception):  # a device that does not exist, a driver that has failed
            if torch.cuda.is_initialized():
                return f"{device} ({torch.cuda.get_device_name(device)})"
    return device
