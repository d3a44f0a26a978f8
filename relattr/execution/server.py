"""The server process: imports the heavy libraries once, and forks a supervisor for each slot of the pool.

It is a separate program and stays single-threaded, because a process with threads cannot be forked safely. It
imports, forks, and reaps; it runs no method.

runner  ->  server (imports once)  ->  supervisor, one per slot  ->  cell, one at a time

While it starts, the server announces to the runner what it is about to import. If an import ends the server, the runner
starts another one that leaves it out. What imported code may have done to the process, such as ignoring signals, is
undone before anything is forked.

When the runner ends, the server sees its connection close, or its parent change, and ends everything below it. When
the server ends, the kernel signals the supervisors, which end their cells; the runner kills what is left. When a
supervisor ends, its descendants become children of the server, which kills them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import sys
import tempfile
import warnings
from functools import partial
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from relattr.execution import ipc, processes
from relattr.system.compiled import import_numba

FORK_SAFE_THREADS = ("jemalloc_bg_thd",)
"""Threads of memory allocators that suspend themselves while the process forks."""


def serve_runner(handle: int) -> None:
    """Serve the runner at the other end of a socket, given by file descriptor; its first message is what to import."""
    os.set_inheritable(handle, False)  # a program that a plugin starts must not keep the connection open
    control = Connection(handle)
    config = ipc.receive_message(control)
    processes.set_child_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = os.getcwd()
    registry = _preload(control, config)
    os.chdir(folder)
    processes.restore_defaults()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    names = [name for name in processes.thread_names()[1:] if name not in FORK_SAFE_THREADS]
    # temporary files of all cells: removed by the server, or by the runner if the server is killed
    folder = tempfile.mkdtemp(prefix="relattr-cells-")
    tempfile.tempdir = folder
    try:
        ipc.send_message(control, {"ready": os.getpid(), "threads": names, "folder": folder})
        gc.collect()
        gc.freeze()  # so that a collection in a cell does not copy every page of the libraries
        gc.disable()
        _fork_supervisors(control, registry, config["runner"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _preload(control: Connection, config: dict[str, Any]) -> Any:
    from relattr.harness import provenance
    from relattr.registry import registry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        registry.discover(
            [Path(folder) for folder in config["folders"]], skip=config["skip"], announce=partial(_announce, control)
        )
        for module in config["preload"]:
            if module in config["skip"]:
                continue
            if module not in sys.modules:
                _announce(control, module)
            # a module that cannot be imported is reported by the cell that needs it
            with contextlib.suppress(Exception, SystemExit):
                importlib.import_module(module)
        # once, for cells that call compiled loops; the loops of statistics are not called in cells
        import_numba({module for module in config["preload"] if not module.startswith("relattr.statistics")})
        from relattr.execution import (
            determinism,
            supervisor,  # noqa: F401
            worker,  # noqa: F401
        )

        provenance.preload_provenance()
        if "numpy" in sys.modules:
            # a plugin may have replaced what this calls: a cell that needs it reports the error
            with contextlib.suppress(Exception, SystemExit):
                from relattr.execution.warm_up import evaluate_small_cell

                evaluate_small_cell()
    determinism.threadpools()  # imports what it needs, so that its version is known before the first cell
    provenance.preload_provenance()
    determinism.threadpools()  # last: it lists the libraries that are loaded at that time
    return registry


def _announce(control: Connection, name: str) -> None:
    ipc.send_message(control, {"importing": name})


def _fork_supervisors(control: Connection, registry: Any, runner: int) -> None:
    supervisors: set[int] = set()
    poller = select.poll()
    poller.register(control.fileno(), select.POLLIN | select.POLLHUP)
    while True:
        if poller.poll(100):
            try:
                handle = reduction.recv_handle(control)
            except (EOFError, OSError, RuntimeError):  # the runner has ended, or closed the pool
                processes.kill_descendants(os.getpid())
                return
            os.set_inheritable(handle, False)
            try:
                pid = _fork_supervisor(control, handle, registry)
            except OSError as error:
                _tell(control, {"refused": error.strerror})
            else:
                supervisors.add(pid)
                _tell(control, {"started": pid})
            finally:
                os.close(handle)
        elif os.getppid() != runner:  # it died, and another process holds a copy of its end of the connection
            processes.kill_descendants(os.getpid())
            return
        if not supervisors.issuperset(processes.children(os.getpid())):  # orphans of a supervisor
            processes.kill_descendants(os.getpid(), spare=supervisors)
        for pid in list(supervisors):
            processes.resume_if_stopped(pid)  # a stopped supervisor would not enforce the limits of its cell
            with contextlib.suppress(ChildProcessError):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    supervisors.discard(pid)
                    _tell(control, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _tell(control: Connection, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a runner that has ended is noticed by the caller
        ipc.send_message(control, message)


def _fork_supervisor(control: Connection, handle: int, registry: Any) -> int:
    server = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        control.close()
        from relattr.execution.supervisor import serve_jobs

        serve_jobs(Connection(handle), registry, server)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
