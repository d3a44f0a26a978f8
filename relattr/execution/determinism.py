"""What a process is pinned to while it computes a cell: its share of threads, and the seed of the global generators."""

from __future__ import annotations

import os
import sys
from typing import Any

from relattr.random import derive_seed


def set_threads(threads: int) -> None:
    """Pin the thread pools of whatever is loaded to the cell's share; what is loaded later reads the environment."""
    for variable in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS", "VECLIB", "NUMBA"):
        os.environ[f"{variable}_NUM_THREADS"] = str(threads)
    found = pools()
    if found is not None:
        found.limit(limits=threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    numba = sys.modules.get("numba")
    if numba is not None:  # its pool starts with the first parallel loop, and with this many
        numba.config.NUMBA_NUM_THREADS = threads


_known_pools: dict[int, Any] = {}


def pools() -> Any:
    """The BLAS and OpenMP libraries that are loaded; found once, before forking."""
    loaded = len(sys.modules)
    if loaded not in _known_pools:
        if "threadpoolctl" not in sys.modules and "numpy" not in sys.modules:
            return None
        try:
            import threadpoolctl
        except ImportError:
            return None
        _known_pools.clear()
        _known_pools[len(sys.modules)] = threadpoolctl.ThreadpoolController()
        return next(iter(_known_pools.values()))
    return _known_pools[loaded]


def seed_globals(seed: int) -> None:
    """Seed the global generators by a cell's seed: a method that draws from them is still the same each time."""
    import random

    seed = derive_seed(seed, "global")
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
