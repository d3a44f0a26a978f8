"""The server process of a pool, as the runner sees it: its start, the supervisors that it forks, and its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any, ClassVar, NamedTuple

from relattr.execution import ipc, processes

IMPORT_TIMEOUT = 120.0
"""Seconds within which the server must have imported one plugin or library."""
ANSWER_TIMEOUT = 10.0
"""Seconds within which the server must have forked a supervisor."""
LOOK_INTERVAL = 1.0
"""Seconds between two looks at whether the server or a supervisor has been stopped."""
MAX_OUTPUT_BYTES = 4000
"""How much of the output of a server and its supervisors is shown."""


class FailedStart(NamedTuple):
    """Why a server did not become ready."""

    reason: str
    importing: str
    """What it imported at that time; empty if nothing."""
    output: str
    killed: bool
    """Whether it was ended by SIGKILL."""


class ServerProcess:
    """A server and the processes below it, from `start` to `stop`.

    ``spare`` are children of this process that are not of a server, and are never killed. All methods but `pid`,
    `resume_if_stopped` and `new_output` are for one thread at a time.
    """

    _running: ClassVar[set[int]] = set()
    """The servers of this process."""
    _running_lock: ClassVar[threading.Lock] = threading.Lock()
    """Held while a server is started, until it is in `_running`, and while orphans are looked for and killed."""

    def __init__(self, spare: Collection[int]) -> None:
        self._spare = frozenset(spare)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._folder = ""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server runs)
        self._output_position = 0
        self._exit_codes: dict[int, int] = {}  # of supervisors that have ended
        self._importing = ""  # what it imports while it starts
        self.warning = ""
        """What its user should know after the start; empty if nothing."""

    @classmethod
    def any_running(cls) -> bool:
        """Whether this process has a server."""
        return bool(cls._running)

    @property
    def pid(self) -> int | None:
        """Its process ID; None before the start."""
        return self._process.pid if self._process is not None else None

    @property
    def has_ended(self) -> bool:
        """Whether it does not run."""
        return self._process is None or self._process.poll() is not None

    # ------------------------------------------------------------------ start

    def start(self, config: Mapping[str, Any], check_open: Callable[[], None]) -> FailedStart | None:
        """Start the server and wait until it is ready; if it does not become ready, return why.

        ``config`` is sent to it. ``check_open`` is called again and again, to raise an exception that ends the start.
        Raises `ProcessRefused` if the system refuses another process.
        """
        local, remote = ipc.socket_pair()
        try:
            self._process = self._launch(remote.fileno())
        except OSError as error:
            local.close()
            if error.errno in processes.REFUSALS:
                raise processes.ProcessRefused(f"the system refuses another process: {error.strerror}") from None
            raise
        finally:
            remote.close()
        try:
            ipc.send_message(local, dict(config))
            ready = self._wait_until_ready(local, check_open)
        except (EOFError, OSError, ipc.BadMessage) as error:
            local.close()
            return self._failed_start(error)
        except BaseException:
            local.close()
            self._process.kill()
            self._process.wait()
            raise
        self._control = local
        self._folder = ready["folder"]
        if ready["threads"]:
            self.warning = (
                f"importing the libraries started threads ({', '.join(ready['threads'])}); cells are forked from a "
                "process with threads, and may deadlock"
            )
        self.new_output()
        return None

    def _launch(self, remote: int) -> subprocess.Popen[bytes]:
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
            f"from relattr.execution.server import serve_runner; serve_runner({remote})"
        )
        with self._running_lock:
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=self._output.fileno(),
                stderr=self._output.fileno(),
                pass_fds=[remote],
                env=environment,
                start_new_session=True,
            )
            self._running.add(process.pid)
        return process

    def _wait_until_ready(self, control: Connection, check_open: Callable[[], None]) -> dict[str, Any]:
        """The server's message that it is ready."""
        while True:
            end = time.monotonic() + IMPORT_TIMEOUT
            while not control.poll(0.1):
                check_open()
                if time.monotonic() > end:
                    raise TimeoutError(f"not finished after {IMPORT_TIMEOUT:g} s")
            message: dict[str, Any] = ipc.receive_message(control, type=dict[str, Any])
            if "ready" in message:
                return message
            self._importing = str(message.get("importing", ""))

    def _failed_start(self, error: Exception) -> FailedStart:
        """End what is left of a server that did not become ready."""
        assert self._process is not None
        if not isinstance(error, TimeoutError):  # it closed the connection, so it is about to end
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        status = self._process.poll()
        self._process.kill()
        output = self.new_output()
        self.stop()
        reason = str(error)
        if status is not None:
            reason = f"ended by {processes.signal_name(-status)}" if status < 0 else f"it ended with exit code {status}"
        return FailedStart(reason, self._importing, output, status == -signal.SIGKILL)

    # ------------------------------------------------------------------ while it runs

    def fork_supervisor(self, connection: Connection) -> int:
        """Fork a supervisor that serves this connection; return its process ID.

        Raises `ProcessRefused` if the system refuses another process, and ``EOFError`` or ``OSError`` if the server
        ends or does not answer.
        """
        assert self._control is not None
        assert self._process is not None
        reduction.send_handle(self._control, connection.fileno(), self._process.pid)
        end = time.monotonic() + ANSWER_TIMEOUT
        while time.monotonic() < end:
            message = self._read_control(LOOK_INTERVAL)
            if "started" in message:
                return int(message["started"])
            if "refused" in message:
                raise processes.ProcessRefused(f"the system refuses another process: {message['refused']}")
            self.resume_if_stopped()
        self._process.kill()  # so that a late answer is not taken for that to another question
        raise EOFError("the server does not answer")

    def exit_code(self, supervisor: int, timeout: float) -> int | None:
        """The exit code of a supervisor that has ended; None if the server does not report it in time.

        Raises ``EOFError`` if the server has ended.
        """
        if supervisor not in self._exit_codes:
            if self._control is None or self.has_ended:
                raise EOFError("the server has ended")
            self._read_control(timeout)
        return self._exit_codes.pop(supervisor, None)

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

    def resume_if_stopped(self) -> None:
        """Continue the server if it has been stopped by a signal."""
        if self.pid is not None:
            processes.resume_if_stopped(self.pid)

    def new_output(self) -> str:
        """The end of what the server and its supervisors have printed since the last call."""
        with contextlib.suppress(OSError, ValueError):  # with pread: the processes that write share its position
            size = os.fstat(self._output.fileno()).st_size
            start = max(self._output_position, size - MAX_OUTPUT_BYTES)
            self._output_position = size
            return os.pread(self._output.fileno(), size - start, start).decode(errors="replace").strip()
        return ""

    # ------------------------------------------------------------------ end

    def stop(self) -> None:
        """End the server, which ends by itself when its connection closes, and all processes below it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self.resume_if_stopped()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._running.discard(self._process.pid)
            self._process = None
        self._kill_orphans()
        self._output.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _kill_orphans(self, timeout: float = 5.0) -> None:
        """Kill the processes of a dead server, which are now children of this process."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self._running_lock:  # another server may be starting
                orphans = processes.adopted(spare={*self._spare, *self._running})
                for pid in orphans:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
            if not orphans:
                return
            for pid in orphans:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)
