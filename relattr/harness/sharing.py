"""How cells share the processors of this machine where nobody says how."""

from __future__ import annotations

import os

from relattr.gpus import visible_gpus

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
