"""A pool of supervised processes on this machine: one server, and a supervisor for each cell that runs in parallel."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType

import msgspec

from relattr.errors import RelattrError
from relattr.execution import ipc, processes
from relattr.execution.job import CellProgress, Job, LostCell, Outcome, RefusedCell
from relattr.execution.resources import visible_gpus
from relattr.execution.server_process import LOOK_INTERVAL, ServerProcess
from relattr.harness.units import parse_duration

ProgressCallback = Callable[[str, int, int], None]
"""Called with the description of a cell's current step, the number of steps done, and their total number."""
MAX_STARTS = 5
"""How often a server that is killed while it starts is started again."""
MAX_SKIPPED = 50
"""Upper limit on plugins and libraries whose import ends the server."""
GRACE_PERIOD = 10.0
"""Seconds after a cell's time limit at which the runner kills it if its supervisor has not."""
SHARED_SLOTS = 64
"""Upper limit on parallel cells of a pool without a number of slots."""


class ServerStartError(RelattrError):
    """The server process could not be started; the message includes its output."""


class CellPool:
    """Runs cells in separate processes, at most ``slots`` in parallel (0: at most `SHARED_SLOTS`).

    `run` may be called from several threads. `close`, or the end of a ``with`` block, ends all processes.
    """

    def __init__(
        self, slots: int, *, folders: Sequence[str] = (), preload: Sequence[str] = (), skip: Sequence[str] = ()
    ) -> None:
        if not processes.is_supported():
            raise RelattrError(
                "cells can run in separate processes only on Linux; use --backend inline, which runs them in this "
                "process, without limits on time and memory"
            )
        self._skip = list(skip)
        self._config = {
            "folders": list(folders),
            "preload": list(preload),
            "skip": self._skip,
            "runner": os.getpid(),
        }
        self._free: queue.LifoQueue[int] = queue.LifoQueue()  # the slot used last has a supervisor already
        for slot in reversed(range(slots or SHARED_SLOTS)):
            self._free.put(slot)
        self._supervisors: dict[int, Connection] = {}
        self._busy: set[int] = set()  # slots whose connection a thread waits on; that thread closes it
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server: ServerProcess | None = None
        self._pids: dict[int, int] = {}  # the supervisor of each slot
        self.warnings: list[str] = []
        self._gpus = visible_gpus()
        self._own_children = frozenset(processes.children(os.getpid()))
        processes.set_child_subreaper()
        atexit.register(self.close)

    @property
    def server_pid(self) -> int | None:
        """The process ID of the server; None if it does not run."""
        server = self._server
        return server.pid if server is not None else None

    def __enter__(self) -> CellPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, job: Job, on_progress: ProgressCallback | None = None) -> Outcome:
        """Run a cell and wait for its outcome.

        It is `LostCell` if the supervisor or the server died, and `RefusedCell` if the system refuses another process.
        """
        slot = self._free.get()
        connection, reusable = None, False
        try:
            job = self._assign_device(job, slot)
            connection = self._acquire_supervisor(slot)
            outcome, reusable = self._run_on(connection, job, on_progress, slot)
            return outcome
        except processes.ProcessRefused as refusal:
            return RefusedCell(str(refusal))
        finally:
            self._release(slot, connection, reusable)

    def close(self) -> None:
        """End all processes of the pool. Calls of `run` in other threads return `LostCell` or raise `RelattrError`."""
        self._closed.set()  # before the lock: a thread that starts a server holds it
        with self._lock:
            self._stop_server()
        atexit.unregister(self.close)
        if not ServerProcess.any_running():  # another pool may be open
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

    def _run_on(
        self, connection: Connection, job: Job, on_progress: ProgressCallback | None, slot: int
    ) -> tuple[Outcome, bool]:
        """Run a job on a supervisor. Returns the outcome, and whether the supervisor can run another one.

        The supervisor enforces the limits. If it is stopped, it is continued; if it has not answered some time after
        the cell's time limit, it is killed, and the server kills the cell.
        """
        time_limit = parse_duration(job.limits.time) if job.limits.time else None
        end = None if time_limit is None else time.monotonic() + time_limit + GRACE_PERIOD
        pid = self._pids.get(slot)
        try:
            ipc.send_message(connection, job)
            while True:
                try:
                    message = ipc.receive_message(connection, LOOK_INTERVAL, CellProgress | Outcome)
                except TimeoutError:
                    self._resume_stopped(pid)
                    if end is not None and time.monotonic() > end:
                        return self._kill_supervisor(pid, job), False
                    continue
                if not isinstance(message, CellProgress):
                    return message, not (isinstance(message, LostCell) and message.traceback)
                if on_progress is not None:
                    on_progress(message.description, message.done, message.total)
        except ipc.BadMessage as error:
            return LostCell(f"its supervisor sent something that is {error}", 2), False
        except (EOFError, OSError):
            return self._lost_supervisor(pid), False

    def _resume_stopped(self, supervisor: int | None) -> None:
        server = self._server
        if server is not None:
            server.resume_if_stopped()
        if supervisor is not None:
            processes.resume_if_stopped(supervisor)

    def _kill_supervisor(self, pid: int | None, job: Job) -> LostCell:
        """End a cell whose supervisor does not enforce its limit; the server kills what is below the supervisor."""
        if pid is not None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reason = f"took longer than its limit of {job.limits.time}; its supervisor did not react and was killed too"
        return LostCell(reason, 1, "timeout")

    def _lost_supervisor(self, pid: int | None) -> LostCell:
        """Why the connection to a supervisor has ended: its exit code and what it wrote to stderr."""
        end, code = time.monotonic() + 1.0, None
        while pid is not None and code is None and time.monotonic() < end:
            with self._lock:
                try:
                    if self._server is None:
                        break
                    code = self._server.exit_code(pid, 0.05)
                except (EOFError, OSError):  # the server has ended, or is about to
                    break
        how = ""
        if code is not None:
            how = f" ({processes.signal_name(-code)})" if code < 0 else f" (exit code {code})"
        server = self._server
        output = server.new_output() if server is not None else ""
        return LostCell(f"its supervisor died, or was killed{how}", traceback=output)

    def _acquire_supervisor(self, slot: int) -> Connection:
        """The connection to the supervisor of a slot; starts the server and the supervisor where necessary."""
        with self._lock:
            self._check_open()
            server = self._server
            if server is None or server.has_ended:
                self._stop_server()
                server = self._start_server()
            self._busy.add(slot)
            if slot in self._supervisors:
                return self._supervisors[slot]
            local, remote = ipc.socket_pair()
            self._pids.pop(slot, None)
            try:
                self._pids[slot] = server.fork_supervisor(remote)
            except (OSError, EOFError):  # the server has just died: `remote` is closed, so the cell is lost
                return local
            except processes.ProcessRefused:
                local.close()
                raise
            finally:
                remote.close()
            self._supervisors[slot] = local
            return local

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise RelattrError("the run was stopped")

    # ------------------------------------------------------------------ the server

    def _start_server(self) -> ServerProcess:
        """Start a server; again, without it, if one ended while it imported something, and if one was killed."""
        killed: dict[str, int] = {}
        while True:
            self._server = server = ServerProcess(self._own_children)
            failure = server.start(self._config, self._check_open)
            if failure is None:
                if server.warning and server.warning not in self.warnings:
                    self.warnings.append(server.warning)
                return server
            importing = failure.importing
            if failure.killed:  # by someone else, or by what it imported
                killed[importing] = killed.get(importing, 0) + 1
                if sum(killed.values()) < MAX_STARTS and (not importing or killed[importing] < 3):
                    continue
                if not importing or killed[importing] < 3:
                    raise ServerStartError(
                        f"the server process for cells was killed {MAX_STARTS} times while it started"
                    )
            if not importing or importing in self._skip or len(self._skip) >= MAX_SKIPPED:
                raise ServerStartError(
                    f"the server process for cells did not start: {failure.reason}\n{failure.output}"
                )
            self._skip.append(importing)
            self.warnings.append(
                f"importing {importing} ended or stopped the process that prepares cells ({failure.reason}); "
                "it is left to the cells that need it"
            )

    def _stop_server(self) -> None:
        for slot, connection in self._supervisors.items():
            with contextlib.suppress(OSError):
                ipc.shut_down(connection)
            if slot not in self._busy:
                connection.close()
        self._supervisors.clear()
        self._pids.clear()
        if self._server is not None:
            self._server.stop()
            self._server = None
