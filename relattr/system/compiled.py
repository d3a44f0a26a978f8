"""Loops that numba compiles when they are called for the first time; every compiled loop of relattr is declared here.

``@njit(...)`` takes the options of `numba.njit`, but imports numba only at the first call: commands and methods that
call no compiled loop neither wait for the import nor need a folder for its cache. The compiled code is stored in a
folder of the user's own (`relattr.system.compiled_cache`), and only in memory if there is none.

Importing numba and loading compiled code takes about a second. A loop with an equivalent in NumPy,
``@njit(in_numpy=...)``, is therefore compiled only in a process that has much to do: see `COMPILE_FROM`.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")

COMPILE_FROM = 30_000_000
"""Array elements that a process hands to loops with an equivalent in NumPy before they are compiled.

NumPy takes some 30 ns for each, so that it is used for as long as importing numba would take.
"""

modules_with_kernels: set[str] = set()
"""The names of the imported modules that declare compiled loops."""

_lock = threading.RLock()


@overload
def njit(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def njit(
    *, in_numpy: Callable[..., Any] | None = None, **options: Any
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def njit(function: Any = None, /, *, in_numpy: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Declare a function that numba compiles at its first call; ``options`` are those of `numba.njit`, except cache.

    ``in_numpy`` is a function of the same arguments with exactly the same results, in which a process with little to
    compute calls NumPy.
    """
    if function is None:
        return functools.partial(_declare, options, in_numpy)
    return _declare(options, in_numpy, function)


def _declare(options: dict[str, Any], in_numpy: Callable[..., Any] | None, function: Any) -> Any:
    modules_with_kernels.add(function.__module__)
    return Kernel(function, options, in_numpy)


def prange(*arguments: int) -> range:
    """`range`, whose iterations a loop with ``parallel=True`` divides among threads."""
    return range(*arguments)


def import_numba(modules: set[str]) -> None:
    """Import numba if one of these modules declares compiled loops, for the processes that are forked later.

    Numba's tables of types and functions are filled too, which it does at the first call of any compiled loop.
    """
    if modules & modules_with_kernels:
        import numba  # noqa: F401

        with contextlib.suppress(Exception):  # of numba's internals, which may change: then each process does it
            from numba.core.registry import cpu_target

            cpu_target.typing_context.refresh()
            cpu_target.target_context.refresh()


class Kernel:
    """A function that is compiled at its first call.

    Compiled loops that it calls by a global name of its module are compiled with it.
    """

    n_elements_in_numpy: ClassVar[int] = 0
    """Array elements that this process has handed to the equivalents in NumPy."""

    def __init__(
        self, function: types.FunctionType, options: dict[str, Any], in_numpy: Callable[..., Any] | None = None
    ) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self.in_numpy = in_numpy
        self._options = options
        self._dispatcher: Any = None

    def __call__(self, *args: Any) -> Any:
        if self._dispatcher is None and self.in_numpy is not None:
            Kernel.n_elements_in_numpy += sum(getattr(value, "size", 0) for value in args)
            if Kernel.n_elements_in_numpy < COMPILE_FROM:
                return self.in_numpy(*args)
        return (self._dispatcher or self.dispatcher)(*args)

    @property
    def dispatcher(self) -> Any:
        """The function as `numba.njit` returns it."""
        with _lock:
            if self._dispatcher is None:
                self._dispatcher = self._create()
            return self._dispatcher

    def _create(self) -> Any:
        import numba

        from relattr.system.compiled_cache import enable_cache

        namespace = self.py_func.__globals__
        for name in set(_global_names(self.py_func.__code__)):
            value = namespace.get(name)
            if isinstance(value, Kernel):
                namespace[name] = value.dispatcher
            elif value is prange:
                namespace[name] = numba.prange
        dispatcher = numba.njit(**self._options)(self.py_func)
        enable_cache(dispatcher)
        return dispatcher


def _global_names(code: types.CodeType) -> Iterator[str]:
    """The names that code and the functions inside it look up in their module."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)
