"""The process that holds the heavy libraries and forks one supervisor for each place where a cell can run.

It is started as a program of its own and stays single-threaded, because a process with threads
cannot be forked safely: it imports, it forks, it buries; it runs nothing.

runner  ->  server (imports once)  ->  supervisor, one per place  ->  cell, one at a time

When the runner dies, the server sees its connection close and ends everything below it. When the
server dies, the kernel ends the supervisors and their cells, and the runner the rest. When a
supervisor dies, what it had becomes the server's, which ends it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from relattr.execution import ipc, processes

HARMLESS = ("jemalloc_bg_thd",)
"""Threads of allocators that stop themselves around a fork."""


def main(handle: int) -> None:
    """Serve the runner at the other end of this socket; the first message says what to load."""
    control = socket.socket(fileno=handle)
    config = ipc.receive(control)
    processes.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    registry = _load(config)
    names = [name for name in processes.thread_names()[1:] if name not in HARMLESS]
    # temporary files of all cells: gone with the server, or with the runner where the server is killed
    folder = tempfile.mkdtemp(prefix="relattr-cells-")
    tempfile.tempdir = folder
    ipc.send(control, {"ready": os.getpid(), "threads": names, "folder": folder})
    gc.collect()
    gc.freeze()  # so that a collection in a cell does not copy every page of the libraries
    gc.disable()
    try:
        _serve(control, registry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(config: dict[str, Any]) -> Any:
    from relattr.harness import provenance
    from relattr.registry import registry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        registry.discover([Path(folder) for folder in config["folders"]])
        for module in config["preload"]:
            # a name that is no module, or does not import here: the cell that needs it will say so
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        from relattr.execution import (
            determinism,
            supervisor,  # noqa: F401
            worker,  # noqa: F401
        )

        if "numpy" in sys.modules:
            _use_numpy()
    provenance.warm_up()
    determinism.pools()  # last: it holds for what is loaded then
    return registry


def _use_numpy() -> None:
    """Do once what every cell does: NumPy loads parts of itself at their first use, and a cell should find them."""
    import numpy as np

    from relattr import images, pairs, statistics  # noqa: F401
    from relattr.harness.arrays import CellArrays

    strengths = np.random.default_rng(0).random(8)
    some = pairs.Pairs.from_scores(np.arange(8.0), count=4)
    statistics.count_margins(strengths[some.left] - strengths[some.right], some)
    statistics.count_strengths(strengths, pairs.Pairs.from_scores(np.arange(8.0)))
    CellArrays.from_npz(CellArrays(strengths={"test": strengths}).to_npz())


def _serve(control: socket.socket, registry: Any) -> None:
    supervisors: set[int] = set()
    poller = select.poll()
    poller.register(control, select.POLLIN | select.POLLHUP)
    while True:
        if poller.poll(100):
            try:
                _, handles, _, _ = socket.recv_fds(control, 1, 1)
            except OSError:
                handles = []
            if not handles:  # the runner is gone, or done
                processes.kill_below(os.getpid())
                return
            supervisors.add(_fork(control, handles[0], registry))
        if not supervisors.issuperset(processes.children(os.getpid())):  # a supervisor's orphans
            processes.kill_below(os.getpid(), spare=supervisors)
        for pid in list(supervisors):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) != (0, 0):
                    supervisors.discard(pid)


def _fork(control: socket.socket, handle: int, registry: Any) -> int:
    me = os.getpid()
    pid = os.fork()
    if pid:
        os.close(handle)
        return pid
    status = 1
    try:
        control.close()
        from relattr.execution.supervisor import serve

        serve(socket.socket(fileno=handle), registry, me)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
