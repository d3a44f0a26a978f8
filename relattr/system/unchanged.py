"""Restores what imported code may change in its process.

A plugin is imported in the process that runs all others. What it registers stays, and so do new modules and new entries
of ``sys.path`` and the environment. What it removes or replaces is put back, so that it costs no other plugin.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any

DECIDES_RESULTS = False

Restore = Callable[[], None]
_DEFINED = (FunctionType, type, classmethod, staticmethod, property)
"""What `unchanged_package` restores: code, not data."""


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Restore signal handlers, timers, folder, streams, hooks, warning filters and modules, at the end of the block."""
    with ExitStack() as stack:
        for save in (_limits, _settings, _environment, _signals, _folder, _streams, _builtins, _numpy, _import_system):
            stack.callback(save())
        stack.enter_context(warnings.catch_warnings())
        yield


@contextmanager
def unchanged_package(package: str) -> Iterator[None]:
    """Restore the functions, classes and methods of this package's modules that the block replaces.

    Modules that are imported in the block are not restored, and neither is data.
    """
    saved = [
        (owner, dict(vars(owner)))
        for name, module in list(sys.modules.items())
        if module is not None and name.partition(".")[0] == package
        for owner in (module, *(value for value in vars(module).values() if _is_class_of(value, package)))
    ]
    try:
        yield
    finally:
        for owner, values in saved:
            now = vars(owner)
            for name, value in values.items():
                if now.get(name) is not value and isinstance(value, _DEFINED):
                    with contextlib.suppress(AttributeError, TypeError):
                        setattr(owner, name, value)


def _is_class_of(value: Any, package: str) -> bool:
    return isinstance(value, type) and str(value.__module__).partition(".")[0] == package


# ---------------------------------------------------------------------- what is saved and restored


def _signals() -> Restore:
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}

    def restore() -> None:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, handler)
        if hasattr(signal, "setitimer"):
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)

    return restore


def _folder() -> Restore:
    try:
        folder = os.getcwd()
    except OSError:  # it has been removed
        return lambda: None

    def restore() -> None:
        with contextlib.suppress(OSError):
            os.chdir(folder)

    return restore


def _streams() -> Restore:
    streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}

    def restore() -> None:
        for handle, (name, stream) in enumerate(streams.items()):
            if getattr(stream, "closed", False):  # its descriptor stays open
                with contextlib.suppress(OSError, ValueError):
                    mode = "w" if handle else "r"
                    stream = open(handle, mode, encoding=stream.encoding, errors=stream.errors, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)

    return restore


def _builtins() -> Restore:
    saved = {name: value for name, value in vars(builtins).items() if name != "_"}
    return lambda: vars(builtins).update(saved)


def _environment() -> Restore:
    saved = dict(os.environ)
    mask = os.umask(0o077)
    os.umask(mask)

    def restore() -> None:
        os.umask(mask)
        for name, value in saved.items():
            if name not in os.environ:
                os.environ[name] = value

    return restore


def _settings() -> Restore:
    """Hooks and settings of the interpreter."""
    recursion, collects, timeout = sys.getrecursionlimit(), gc.isenabled(), socket.getdefaulttimeout()
    hooks = [(sys, "excepthook"), (sys, "displayhook"), (sys, "unraisablehook"), (threading, "excepthook")]
    saved = [(owner, name, getattr(owner, name)) for owner, name in hooks]
    tracer, profiler = sys.gettrace(), sys.getprofile()

    def restore() -> None:
        sys.setrecursionlimit(recursion)
        (gc.enable if collects else gc.disable)()
        socket.setdefaulttimeout(timeout)
        for owner, name, value in saved:
            setattr(owner, name, value)
        if sys.gettrace() is not tracer:
            sys.settrace(tracer)
        if sys.getprofile() is not profiler:
            sys.setprofile(profiler)

    return restore


def _limits() -> Restore:
    """The limits of the process that can be raised again."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return lambda: None
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    saved = {kind: resource.getrlimit(kind) for kind in kinds}

    def restore() -> None:
        for kind, limits in saved.items():
            if resource.getrlimit(kind) != limits:
                with contextlib.suppress(OSError, ValueError):
                    _, hard = resource.getrlimit(kind)
                    resource.setrlimit(kind, (limits[0], hard))

    return restore


def _numpy() -> Restore:
    """How NumPy treats overflow and invalid values, if it is imported."""
    numpy = sys.modules.get("numpy")
    saved = numpy.geterr() if numpy is not None else None

    def restore() -> None:
        if numpy is not None and saved is not None and numpy.geterr() != saved:
            numpy.seterr(**saved)

    return restore


def _import_system() -> Restore:
    modules = dict(sys.modules)
    lists = {name: list(getattr(sys, name)) for name in ("meta_path", "path_hooks", "path")}

    def restore() -> None:
        for name, module in modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        for name, saved in lists.items():
            now = getattr(sys, name)
            if any(entry not in now for entry in saved):
                setattr(sys, name, saved + [entry for entry in now if entry not in saved])

    return restore
