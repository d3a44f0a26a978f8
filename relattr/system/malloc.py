"""Memory that the C library keeps between batches.

By default glibc hands every large block straight back to the system, so that each layer's output is mapped, and
cleared page by page, anew: up to two fifths of the time of a network on the CPU. The environment variables
MALLOC_MMAP_MAX_, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ change that for a process from its start; this does
so for a while.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # the parameters of mallopt(3)
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 1024**2, _MMAP_MAX: 0}


@contextmanager
def retain_freed_memory(wanted: bool = True) -> Iterator[None]:
    """Inside, freed memory is kept for the next allocation; at the end it is given back.

    Does nothing without glibc, or where the environment says what malloc shall do.
    """
    told = any(name.startswith("MALLOC_") for name in os.environ)
    if not wanted or told or platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    for parameter, value in _KEEPING.items():
        libc.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
