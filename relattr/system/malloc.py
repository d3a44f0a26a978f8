"""Settings of glibc's memory allocator for fast networks on the CPU.

By default glibc returns every large block to the system as soon as it is freed. The output of each layer is then
mapped and cleared page by page again, which takes up to two fifths of the time of a network on the CPU. The
environment variables MALLOC_MMAP_MAX_, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ change that for a whole process;
`retain_freed_memory` changes it for a block of code.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # the parameters of mallopt(3)
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024, _MMAP_MAX: 65536}
_RETAIN = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 1024**2, _MMAP_MAX: 0}


@contextmanager
def retain_freed_memory(enabled: bool = True) -> Iterator[None]:
    """Within the block, keep freed memory for later allocations; at its end, return it to the system.

    Has no effect without glibc, or if an environment variable configures malloc.
    """
    configured = any(name.startswith("MALLOC_") for name in os.environ)
    if not enabled or configured or platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    for parameter, value in _RETAIN.items():
        libc.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
