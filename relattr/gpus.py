"""Which GPUs there are, without loading torch."""

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
