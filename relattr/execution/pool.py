"""Places where cells run, on this machine: one server, and as many supervisors as cells run at once."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO

import msgspec

from relattr.errors import RelattrError
from relattr.execution import ipc, processes
from relattr.execution.job import Done, Job, Lost, Outcome
from relattr.execution.resources import visible_gpus
from relattr.harness.limits import seconds

MARK = "RELATTR_SERVER"
Heard = Callable[[str, int, int], None]
"""Called with a description of what a cell is doing, steps done, steps in all."""
START = 300.0
"""Seconds the libraries may take to load."""
STARTS = 5
"""How often a server is started that is killed before it is ready."""
GRACE = 10.0
"""Seconds past a cell's time limit after which its supervisor is taken for dead."""


class ServerFailed(RelattrError):
    """The server process could not be started; the message has what it said."""


class Pool:
    """Runs cells in processes of their own, at most ``places`` at once (0: as many as ask).

    Safe to use from several threads. Close it, or use it as a context, and nothing is left behind.
    """

    def __init__(self, places: int, *, folders: Sequence[str] = (), preload: Sequence[str] = ()) -> None:
        if not processes.supported():
            raise RelattrError(
                "cells can have processes of their own only on Linux; elsewhere use --backend inline, "
                "which runs them here, without limits on time and memory"
            )
        self._config = {"folders": list(folders), "preload": list(preload)}
        self._free: queue.LifoQueue[int] = queue.LifoQueue()  # a place used last is warm
        for place in reversed(range(places or 64)):
            self._free.put(place)
        self._supervisors: dict[int, socket.socket] = {}
        self._busy: set[int] = set()  # places whose socket a thread waits on; that thread closes it
        self._lock = threading.Lock()
        self._closed = False
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder = ""
        self._mark = uuid.uuid4().hex
        self.warnings: list[str] = []
        self._gpus = visible_gpus()
        processes.adopt_orphans()
        atexit.register(self.close)

    @property
    def server_pid(self) -> int | None:
        """The server's process, where it runs."""
        return self._server.pid if self._server is not None else None

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, job: Job, heard: Heard | None = None) -> Outcome:
        """Run a cell and wait for its end. `Lost` when a process of the harness died meanwhile."""
        place = self._free.get()
        connection, alive = None, False
        try:
            job = self._placed(job, place)
            connection = self._supervisor(place)
            outcome = self._ask(connection, job, heard)
            alive = not (isinstance(outcome, Lost) and outcome.why.startswith("its supervisor"))
            return outcome
        finally:
            self._give_back(place, connection, alive)

    def close(self) -> None:
        """End everything that runs."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._stop_server()
        atexit.unregister(self.close)
        with contextlib.suppress(OSError):
            processes.adopt_orphans(False)

    # ------------------------------------------------------------------ inside

    def _give_back(self, place: int, connection: socket.socket | None, alive: bool) -> None:
        """Free a place; close its socket where nothing answers there, or where it is no longer the place's."""
        with self._lock:
            self._busy.discard(place)
            if connection is not None and not (alive and self._supervisors.get(place) is connection):
                if self._supervisors.get(place) is connection:
                    del self._supervisors[place]
                connection.close()
        self._free.put(place)

    def _placed(self, job: Job, place: int) -> Job:
        device, gpu = job.device, ""
        if device == "auto":
            device = "cuda" if self._gpus else "cpu"
        if device == "cuda" and self._gpus:
            gpu = self._gpus[place % len(self._gpus)]
        return msgspec.structs.replace(job, device=device, gpu=gpu)

    def _ask(self, connection: socket.socket, job: Job, heard: Heard | None) -> Outcome:
        limit = seconds(job.limits.time) if job.limits.time else None
        connection.settimeout(None if limit is None else limit + GRACE)
        try:
            ipc.send(connection, msgspec.to_builtins(job, builtin_types=(bytes,)))
            while True:
                message = ipc.receive(connection)
                if message[0] == "progress" and heard is not None:
                    heard(*message[1:])
                elif message[0] == "done":
                    return Done(*message[1:])
                elif message[0] == "lost":
                    return Lost(*message[1:])
        except (EOFError, OSError):
            return Lost("its supervisor died, or was killed")

    def _supervisor(self, place: int) -> socket.socket:
        with self._lock:
            if self._closed:
                raise RelattrError("the run was stopped")
            if self._server is None or self._server.poll() is not None:
                self._stop_server()
                for _ in range(STARTS):
                    if self._start_server():
                        break
                else:
                    raise ServerFailed(f"the server process for cells was killed {STARTS} times while it started")
            self._busy.add(place)
            known = self._supervisors.get(place)
            if known is not None:
                return known
            mine, its = socket.socketpair()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [b"+"], [its.fileno()])
            except OSError:  # the server has just died; the cell is lost at once and comes again
                mine.close()
                mine, other = socket.socketpair()
                other.close()
                return mine
            finally:
                its.close()
            self._supervisors[place] = mine
            return mine

    def _start_server(self) -> bool:
        """Start it and wait until it is ready; False if it was killed meanwhile."""
        with tempfile.TemporaryFile() as said:
            return self._start(said)

    def _start(self, said: IO[bytes]) -> bool:
        """The same, with a file for what the server prints."""
        mine, its = socket.socketpair()
        # the pools of BLAS start threads when they are loaded; the cell's own number is set after the fork
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
            MARK: self._mark,
        }
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from relattr.execution.server import main; main({its.fileno()})"
        )
        self._server = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=[its.fileno()],
            env=environment,
            start_new_session=True,
        )
        its.close()
        mine.settimeout(START)
        try:
            ipc.send(mine, self._config)
            ready = ipc.receive(mine)
        except (EOFError, OSError) as error:
            mine.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(5)
            status = self._server.poll()
            if status is not None and status < 0:  # killed from outside: the next one may live
                self._server = None
                return False
            self._server.kill()
            self._server.wait()
            said.seek(0)
            text = said.read().decode(errors="replace").strip()[-4000:]
            raise ServerFailed(f"the server process for cells did not start: {error}\n{text}") from None
        mine.settimeout(None)
        self._control = mine
        self._folder = ready["folder"]
        if ready["threads"]:
            text = (
                f"loading the libraries started threads ({', '.join(ready['threads'])}); cells are forked beside them"
            )
            if text not in self.warnings:
                self.warnings.append(text)
        return True

    def _stop_server(self) -> None:
        for place, connection in self._supervisors.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            if place not in self._busy:
                connection.close()
        self._supervisors.clear()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
        self._sweep()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _sweep(self, patience: float = 5.0) -> None:
        """Kill what a dead server left behind: its orphans are ours, and carry its mark."""
        end = time.monotonic() + patience
        while (strays := processes.marked(f"{MARK}={self._mark}")) and time.monotonic() < end:
            for pid in strays:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in strays:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)
