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
from collections.abc import Callable, Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection
from types import TracebackType
from typing import IO, Any, ClassVar, NamedTuple

import msgspec

from relattr.errors import RelattrError
from relattr.execution import ipc, processes
from relattr.execution.job import CellProgress, Job, LostCell, Outcome, RefusedCell
from relattr.execution.resources import visible_gpus
from relattr.harness.units import parse_duration

ProgressCallback = Callable[[str, int, int], None]
"""Called with the description of a cell's current step, the number of steps done, and their total number."""
IMPORT_TIMEOUT = 120.0
"""Seconds within which the server must have imported one plugin or library."""
MAX_STARTS = 5
"""How often a server that is killed while it starts is started again."""
MAX_SKIPPED = 50
"""Upper limit on plugins and libraries whose import ends the server."""
GRACE_PERIOD = 10.0
"""Seconds after a cell's time limit at which the runner kills it if its supervisor has not."""
MAX_OUTPUT_BYTES = 4000
"""How much of the output of a server and its supervisors is shown."""
LOOK_INTERVAL = 1.0
"""Seconds between two looks at whether the processes that enforce the limits have been stopped."""
SHARED_SLOTS = 64
"""Upper limit on parallel cells of a pool without a number of slots."""


class ServerStartError(RelattrError):
    """The server process could not be started; the message includes its output."""


class _FailedStart(NamedTuple):
    """Why a server did not become ready."""

    reason: str
    importing: str
    """What it imported at that time; empty if nothing."""
    output: str
    killed: bool
    """Whether it was ended by SIGKILL."""


class CellPool:
    """Runs cells in separate processes, at most ``slots`` in parallel (0: at most `SHARED_SLOTS`).

    `run` may be called from several threads. `close`, or the end of a ``with`` block, ends all processes.
    """

    _servers: ClassVar[set[int]] = set()
    """The servers of all pools of this process."""
    _servers_lock: ClassVar[threading.Lock] = threading.Lock()
    """Held while a server is started, until it is among `_servers`, and while orphans are looked for and killed."""

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
        self._server: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._folder = ""
        self._output: IO[bytes] | None = None
        self._output_position = 0
        self._pids: dict[int, int] = {}  # the supervisor of each slot
        self._exit_codes: dict[int, int] = {}  # of supervisors that have ended
        self._importing = ""  # what a server that starts imports
        self.warnings: list[str] = []
        self._gpus = visible_gpus()
        self._own_children = frozenset(processes.children(os.getpid()))
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
        if not self._servers:  # another pool may be open
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
        server = self.server_pid
        for pid in (server, supervisor):
            if pid is not None:
                processes.resume_if_stopped(pid)

    def _kill_supervisor(self, pid: int | None, job: Job) -> LostCell:
        """End a cell whose supervisor does not enforce its limit; the server kills what is below the supervisor."""
        if pid is not None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reason = f"took longer than its limit of {job.limits.time}; its supervisor did not react and was killed too"
        return LostCell(reason, 1, "timeout")

    def _lost_supervisor(self, pid: int | None) -> LostCell:
        """Why the connection to a supervisor has ended: its exit code and what it wrote to stderr."""
        end = time.monotonic() + 1.0
        while pid is not None and pid not in self._exit_codes and time.monotonic() < end:
            with self._lock:
                server_has_ended = self._server is None or self._server.poll() is not None
                if self._control is not None and not server_has_ended:
                    try:
                        self._read_control(0.05)
                    except EOFError:  # it is about to end
                        server_has_ended = True
            if server_has_ended:
                break
        code = self._exit_codes.pop(pid, None) if pid is not None else None
        how = ""
        if code is not None:
            how = f" ({processes.signal_name(-code)})" if code < 0 else f" (exit code {code})"
        return LostCell(f"its supervisor died, or was killed{how}", traceback=self._new_output())

    def _new_output(self) -> str:
        """The end of what the server and its supervisors have printed since the last call."""
        output = self._output
        if output is None:
            return ""
        with contextlib.suppress(OSError, ValueError):  # with pread: the processes that write share its position
            size = os.fstat(output.fileno()).st_size
            start = max(self._output_position, size - MAX_OUTPUT_BYTES)
            self._output_position = size
            return os.pread(output.fileno(), size - start, start).decode(errors="replace").strip()
        return ""

    def _acquire_supervisor(self, slot: int) -> Connection:
        """The connection to the supervisor of a slot; starts the server and the supervisor where necessary."""
        with self._lock:
            self._check_open()
            if self._server is None or self._server.poll() is not None:
                self._stop_server()
                self._start_server_patiently()
            self._busy.add(slot)
            if slot in self._supervisors:
                return self._supervisors[slot]
            local, remote = ipc.socket_pair()
            assert self._control is not None
            self._pids.pop(slot, None)
            try:
                reduction.send_handle(self._control, remote.fileno(), self._server.pid)  # type: ignore[union-attr]
                self._pids[slot] = self._wait_for_supervisor()
            except (OSError, EOFError):  # the server has just died: `remote` is closed, so the cell is lost
                return local
            except processes.ProcessRefused:
                local.close()
                raise
            finally:
                remote.close()
            self._supervisors[slot] = local
            return local

    def _wait_for_supervisor(self) -> int:
        """The process ID of the supervisor that the server has been asked to fork."""
        end = time.monotonic() + GRACE_PERIOD
        while time.monotonic() < end:
            message = self._read_control(LOOK_INTERVAL)
            if "started" in message:
                return int(message["started"])
            if "refused" in message:
                raise processes.ProcessRefused(f"the system refuses another process: {message['refused']}")
            self._resume_stopped(None)
        assert self._server is not None
        self._server.kill()  # so that a late answer is not taken for that to another question
        raise EOFError("the server does not answer")

    def _read_control(self, timeout: float) -> dict[str, Any]:
        """Read one message of the server, if one arrives in time, and store how supervisors have ended."""
        assert self._control is not None
        try:
            message: dict[str, Any] = ipc.receive_message(self._control, timeout, dict[str, Any])
        except (TimeoutError, ipc.BadMessage):
            return {}
        if "ended" in message:
            self._exit_codes[message["ended"]] = message["code"]
        return message

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise RelattrError("the run was stopped")

    # ------------------------------------------------------------------ the server

    def _start_server_patiently(self) -> None:
        """Start the server; again, without it, if it ended while it imported something, and if it was killed."""
        killed: dict[str, int] = {}
        while True:
            end = self._start_server()
            if end is None:
                return
            if end.killed:  # by someone else, or by what it imported
                killed[end.importing] = killed.get(end.importing, 0) + 1
                if sum(killed.values()) < MAX_STARTS and (not end.importing or killed[end.importing] < 3):
                    continue
                if not end.importing or killed[end.importing] < 3:
                    raise ServerStartError(
                        f"the server process for cells was killed {MAX_STARTS} times while it started"
                    )
            if not end.importing or end.importing in self._skip or len(self._skip) >= MAX_SKIPPED:
                raise ServerStartError(f"the server process for cells did not start: {end.reason}\n{end.output}")
            self._skip.append(end.importing)
            self.warnings.append(
                f"importing {end.importing} ended or stopped the process that prepares cells ({end.reason}); "
                "it is left to the cells that need it"
            )

    def _start_server(self) -> _FailedStart | None:
        """Start the server and wait until it is ready; if it does not become ready, return why."""
        if self._output is not None:
            self._output.close()
        self._output_position = 0
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server runs)
        return self._start_server_with(self._output)

    def _start_server_with(self, output: IO[bytes]) -> _FailedStart | None:
        local, remote = ipc.socket_pair()
        # BLAS libraries start threads when they are loaded; the cell's own number of threads is set after the fork
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
            # idle BLAS threads sleep at once: waiting actively takes longer than a small cell
            "OPENBLAS_THREAD_TIMEOUT": os.environ.get("OPENBLAS_THREAD_TIMEOUT", "4"),
        }
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from relattr.execution.server import serve_runner; serve_runner({remote.fileno()})"
        )
        try:
            with self._servers_lock:
                self._server = subprocess.Popen(
                    [sys.executable, "-c", code],
                    stdin=subprocess.DEVNULL,
                    stdout=output.fileno(),
                    stderr=output.fileno(),
                    pass_fds=[remote.fileno()],
                    env=environment,
                    start_new_session=True,
                )
                self._servers.add(self._server.pid)
        except OSError as error:
            local.close()
            if error.errno in processes.REFUSALS:
                raise processes.ProcessRefused(f"the system refuses another process: {error.strerror}") from None
            raise
        finally:
            remote.close()
        self._importing = ""
        try:
            ipc.send_message(local, self._config)
            ready = self._wait_until_ready(local)
        except (EOFError, OSError, ipc.BadMessage) as error:
            local.close()
            if not isinstance(error, TimeoutError):  # it closed the connection, so it is about to end
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._server.wait(5)
            status = self._server.poll()
            self._server.kill()
            self._server.wait()
            self._forget_server()
            self._kill_orphans()
            reason = str(error)
            if status is not None:
                reason = (
                    f"ended by {processes.signal_name(-status)}" if status < 0 else f"it ended with exit code {status}"
                )
            return _FailedStart(reason, self._importing, self._new_output(), status == -signal.SIGKILL)
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
        self._new_output()
        return None

    def _wait_until_ready(self, control: Connection) -> dict[str, Any]:
        """The server's message that it is ready. Raises `RelattrError` as soon as the pool is closed."""
        while True:
            end = time.monotonic() + IMPORT_TIMEOUT
            while not control.poll(0.1):
                self._check_open()
                if time.monotonic() > end:
                    raise TimeoutError(f"not finished after {IMPORT_TIMEOUT:g} s")
            message: dict[str, Any] = ipc.receive_message(control, type=dict[str, Any])
            if "ready" in message:
                return message
            self._importing = str(message.get("importing", ""))

    def _forget_server(self) -> None:
        if self._server is not None:
            self._servers.discard(self._server.pid)
            self._server = None

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
            processes.resume_if_stopped(self._server.pid)
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._forget_server()
        self._kill_orphans()
        self._pids.clear()
        self._exit_codes.clear()
        if self._output is not None:
            self._output.close()
            self._output = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _kill_orphans(self, timeout: float = 5.0) -> None:
        """Kill the processes of a dead server, which are now children of this process."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self._servers_lock:  # another pool may be starting its server
                orphans = processes.adopted(spare={*self._own_children, *self._servers})
                for pid in orphans:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
            if not orphans:
                return
            for pid in orphans:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)
