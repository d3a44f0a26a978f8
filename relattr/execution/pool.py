"""A pool of supervised processes on this machine: one server, and a supervisor for each cell that runs in parallel."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection
from types import TracebackType
from typing import IO, Any

import msgspec

from relattr.errors import RelattrError
from relattr.execution import ipc, processes
from relattr.execution.job import CompletedCell, Job, LostCell, Outcome
from relattr.execution.resources import visible_gpus
from relattr.harness.units import parse_duration

MARKER_VARIABLE = "RELATTR_SERVER"
"""Environment variable that identifies the descendants of a server."""
CellProgress = Callable[[str, int, int], None]
"""Called with the description of a cell's current step, the number of steps done, and their total number."""
START_TIMEOUT = 300.0
"""Seconds within which the server must have imported all libraries."""
MAX_STARTS = 5
"""How often a server that is killed while it starts is started again."""
GRACE_PERIOD = 10.0
"""Seconds after a cell's time limit at which a supervisor that sends nothing is considered dead."""
SHARED_SLOTS = 64
"""Upper limit on parallel cells of a pool without a number of slots."""


class ServerStartError(RelattrError):
    """The server process could not be started; the message includes its output."""


class CellPool:
    """Runs cells in separate processes, at most ``slots`` in parallel (0: as many as `run` is called for).

    `run` may be called from several threads. `close`, or the end of a ``with`` block, ends all processes.
    """

    def __init__(self, slots: int, *, folders: Sequence[str] = (), preload: Sequence[str] = ()) -> None:
        if not processes.is_supported():
            raise RelattrError(
                "cells can run in separate processes only on Linux; use --backend inline, which runs them in this "
                "process, without limits on time and memory"
            )
        self._config = {"folders": list(folders), "preload": list(preload), "runner": os.getpid()}
        self._free: queue.LifoQueue[int] = queue.LifoQueue()  # the slot used last has a supervisor already
        for slot in reversed(range(slots or SHARED_SLOTS)):
            self._free.put(slot)
        self._supervisors: dict[int, Connection] = {}
        self._busy: set[int] = set()  # slots whose connection a thread waits on; that thread closes it
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._folder = ""
        self._marker = uuid.uuid4().hex
        self.warnings: list[str] = []
        self._gpus = visible_gpus()
        processes.set_child_subreaper()
        atexit.register(self.close)

    @property
    def server_pid(self) -> int | None:
        """The process ID of the server; None if it does not run."""
        return self._server.pid if self._server is not None else None

    def __enter__(self) -> CellPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, job: Job, on_progress: CellProgress | None = None) -> Outcome:
        """Run a cell and wait for its outcome: `LostCell` if the supervisor or the server died."""
        slot = self._free.get()
        connection, reusable = None, False
        try:
            job = self._assign_device(job, slot)
            connection = self._acquire_supervisor(slot)
            outcome, reusable = self._run_on(connection, job, on_progress)
            return outcome
        finally:
            self._release(slot, connection, reusable)

    def close(self) -> None:
        """End all processes of the pool. Calls of `run` in other threads return `LostCell` or raise `RelattrError`."""
        self._closed.set()  # before the lock: a thread that starts a server holds it
        with self._lock:
            self._stop_server()
        atexit.unregister(self.close)
        with contextlib.suppress(OSError):
            processes.set_child_subreaper(False)

    # ------------------------------------------------------------------ slots

    def _release(self, slot: int, connection: Connection | None, reusable: bool) -> None:
        """Free a slot; close its connection if the supervisor is dead or belongs to an earlier server."""
        with self._lock:
            self._busy.discard(slot)
            if connection is not None and not (reusable and self._supervisors.get(slot) is connection):
                if self._supervisors.get(slot) is connection:
                    del self._supervisors[slot]
                connection.close()
        self._free.put(slot)

    def _assign_device(self, job: Job, slot: int) -> Job:
        device, gpu = job.device, ""
        if device == "auto":
            device = "cuda" if self._gpus else "cpu"
        if device == "cuda" and self._gpus:
            gpu = self._gpus[slot % len(self._gpus)]
        return msgspec.structs.replace(job, device=device, gpu=gpu)

    def _run_on(self, connection: Connection, job: Job, on_progress: CellProgress | None) -> tuple[Outcome, bool]:
        """Run a job on a supervisor. Returns the outcome, and whether the supervisor can run another one."""
        time_limit = parse_duration(job.limits.time) if job.limits.time else None
        timeout = None if time_limit is None else time_limit + GRACE_PERIOD
        try:
            ipc.send_message(connection, msgspec.to_builtins(job, builtin_types=(bytes,)))
            while True:
                message = ipc.receive_message(connection, timeout)
                if message[0] == "progress" and on_progress is not None:
                    on_progress(*message[1:])
                elif message[0] == "done":
                    return CompletedCell(*message[1:]), True
                elif message[0] == "lost":
                    return LostCell(*message[1:]), True
        except (EOFError, OSError):
            return LostCell("its supervisor died, or was killed"), False

    def _acquire_supervisor(self, slot: int) -> Connection:
        """The connection to the supervisor of a slot; starts the server and the supervisor where necessary."""
        with self._lock:
            self._check_open()
            if self._server is None or self._server.poll() is not None:
                self._stop_server()
                for _ in range(MAX_STARTS):
                    if self._start_server():
                        break
                else:
                    raise ServerStartError(
                        f"the server process for cells was killed {MAX_STARTS} times while it started"
                    )
            self._busy.add(slot)
            if slot in self._supervisors:
                return self._supervisors[slot]
            local, remote = ipc.socket_pair()
            assert self._control is not None
            try:
                reduction.send_handle(self._control, remote.fileno(), self._server.pid)  # type: ignore[union-attr]
            except OSError:  # the server has just died: `remote` is closed, so the cell is lost and tried again
                return local
            finally:
                remote.close()
            self._supervisors[slot] = local
            return local

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise RelattrError("the run was stopped")

    # ------------------------------------------------------------------ the server

    def _start_server(self) -> bool:
        """Start the server and wait until it is ready; False if it was killed before that."""
        with tempfile.TemporaryFile() as output:
            return self._start_server_with(output)

    def _start_server_with(self, output: IO[bytes]) -> bool:
        local, remote = ipc.socket_pair()
        # BLAS libraries start threads when they are loaded; the cell's own number of threads is set after the fork
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
            MARKER_VARIABLE: self._marker,
        }
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from relattr.execution.server import serve_runner; serve_runner({remote.fileno()})"
        )
        self._server = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[remote.fileno()],
            env=environment,
            start_new_session=True,
        )
        remote.close()
        try:
            ipc.send_message(local, self._config)
            ready = self._wait_until_ready(local)
        except (EOFError, OSError) as error:
            local.close()
            if not isinstance(error, TimeoutError):  # it closed the connection, so it is about to end
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._server.wait(5)
            status = self._server.poll()
            if status is not None and status < 0:  # killed from outside: another one may start
                self._server = None
                return False
            self._server.kill()
            self._server.wait()
            output.seek(0)
            text = output.read().decode(errors="replace").strip()[-4000:]
            raise ServerStartError(f"the server process for cells did not start: {error}\n{text}") from None
        except BaseException:
            local.close()
            self._server.kill()
            self._server.wait()
            raise
        self._control = local
        self._folder = ready["folder"]
        if ready["threads"]:
            text = (
                f"importing the libraries started threads ({', '.join(ready['threads'])}); cells are forked from a "
                "process with threads, and may deadlock"
            )
            if text not in self.warnings:
                self.warnings.append(text)
        return True

    def _wait_until_ready(self, control: Connection) -> dict[str, Any]:
        """The server's first message. Raises `RelattrError` as soon as the pool is closed."""
        end = time.monotonic() + START_TIMEOUT
        while not control.poll(0.1):
            self._check_open()
            if time.monotonic() > end:
                raise TimeoutError(f"it was not ready after {START_TIMEOUT:g} s")
        ready: dict[str, Any] = ipc.receive_message(control)
        return ready

    def _stop_server(self) -> None:
        for slot, connection in self._supervisors.items():
            with contextlib.suppress(OSError):
                ipc.shut_down(connection)
            if slot not in self._busy:
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
        self._kill_orphans()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _kill_orphans(self, timeout: float = 5.0) -> None:
        """Kill the processes of a dead server, which are now children of this process and carry its marker."""
        end = time.monotonic() + timeout
        marker = f"{MARKER_VARIABLE}={self._marker}"
        while (orphans := processes.descendants_with_environment(marker)) and time.monotonic() < end:
            for pid in orphans:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in orphans:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)
