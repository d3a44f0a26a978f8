"""The number of threads and the seeds of the global random generators of a process that computes a cell."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from relattr.execution.resources import available_cpus
from relattr.random import derive_seed

_VARIABLES = tuple(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS", "VECLIB", "NUMBA"))


def set_threads(threads: int) -> None:
    """Limit the thread pools of all loaded libraries; libraries loaded later read the environment variables.

    ``threads`` is at least 1, here and in the two functions below.
    """
    set_thread_variables(threads)
    limit_thread_pools(threads)


def set_thread_variables(threads: int) -> None:
    """Set the environment variables that libraries read when they are loaded, in this process or one below it."""
    value = str(threads)
    for name in _VARIABLES:
        if os.environ.get(name) != value:
            os.environ[name] = value


def limit_thread_pools(threads: int) -> None:
    """Limit the thread pools of the libraries that are loaded in this process."""
    controller = threadpools()
    if controller is not None:
        for library in controller.lib_controllers:  # without reading the old limits, which are not restored
            library.set_num_threads(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    numba = sys.modules.get("numba")
    if numba is not None:
        numba.config.NUMBA_NUM_THREADS = threads
        # its pool starts at the first parallel loop, with the size that this module read when it was imported, and
        # OpenMP in torch then has that size too
        pool: Any = sys.modules.get("numba.np.ufunc.parallel")
        if pool is not None:
            pool.NUM_THREADS = threads


@contextlib.contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Limit the thread pools of all libraries, also of those loaded in the block, and restore them at its end."""
    import numba  # loaded in the block, its pool would have either no limit, or this one until the process ends

    torch, n_default = sys.modules.get("torch"), _default_threads()
    n_torch = torch.get_num_threads() if torch is not None else n_default
    n_numba = numba.get_num_threads()  # starts its pool, which changes the number of threads of torch
    controller = threadpools()
    loaded = {library.filepath for library in controller.lib_controllers} if controller is not None else set()
    variables = {name: os.environ.get(name) for name in _VARIABLES if name != "NUMBA_NUM_THREADS"}
    os.environ |= dict.fromkeys(variables, str(threads))
    try:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        with controller.limit(limits=threads) if controller is not None else contextlib.nullcontext():
            if torch is not None:
                torch.set_num_threads(threads)
            yield
    finally:
        for name, value in variables.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        controller = threadpools()
        for library in controller.lib_controllers if controller is not None else ():
            if library.filepath not in loaded:
                library.set_num_threads(n_default)
        numba.set_num_threads(n_numba)
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(n_torch)


def _default_threads() -> int:
    """The number of threads that a library has when it is loaded."""
    value = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(value) if value.isdecimal() and int(value) else available_cpus()


_controllers: dict[int, Any] = {}


def threadpools() -> Any:
    """The controller of the loaded BLAS and OpenMP libraries; None if neither NumPy nor threadpoolctl is loaded.

    The search is repeated only after further imports; the server does it once, before it forks.
    """
    loaded = len(sys.modules)
    if loaded not in _controllers:
        if "threadpoolctl" not in sys.modules and "numpy" not in sys.modules:
            return None
        try:
            import threadpoolctl
        except ImportError:
            return None
        _controllers.clear()
        _controllers[len(sys.modules)] = threadpoolctl.ThreadpoolController()
        return next(iter(_controllers.values()))
    return _controllers[loaded]


def seed_global_generators(seed: int) -> None:
    """Seed the global generators of `random`, NumPy and torch, for methods that use them in place of ``run.rng``."""
    import random

    seed = derive_seed(seed, "global")
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
