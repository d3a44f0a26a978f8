"""Code that is not trusted to return: it runs in a fork of this process, which may end, crash or hang.

`Contained` is such a fork. It answers questions one by one; what it answers is JSON. On systems without Linux's /proc
there is no containment, and the questions are answered in this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from relattr.errors import RelattrError, describe_error
from relattr.system.numbers import parse_float

DECIDES_RESULTS = False

IDLE_LIMIT = 20.0
"""Seconds after which code that neither reads files nor computes is considered hanging."""
BUSY_LIMIT = 60.0
"""Seconds after which code that computes without reading files is considered hanging."""
TOTAL_LIMIT = 1800.0
"""Seconds that an answer may take at most, for example to compute the checksums of large files."""
LIMIT_VARIABLE = "RELATTR_PLUGIN_TIMEOUT"
"""Environment variable with the number of seconds that replaces `IDLE_LIMIT` and `BUSY_LIMIT`."""
MAX_ANSWER_BYTES = 64 << 20
_LOOK_INTERVAL = 0.5
_USUAL_TIME = 0.05
"""Seconds after which it is observed whether a process without an answer does something."""
_PR_SET_PDEATHSIG = 1


class ContainedError(RelattrError):
    """The code raised an exception, ended its process, or was killed because it did not answer."""


class ProcessEnded(ContainedError):
    """The code ended its process, or was killed because it did not answer."""


def is_supported() -> bool:
    """Whether code can be contained on this system."""
    return sys.platform == "linux" and os.path.isdir("/proc/self/task")


class Contained:
    """A fork of this process that answers questions with ``answer``, a function from JSON to JSON.

    It is forked for the first question, and again after it has ended. ``answer`` has whatever is in the memory of this
    process at that time. Close it, or use it in a ``with`` statement.
    """

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._answer = answer
        self._pid = 0
        self._socket: socket.socket | None = None

    def __enter__(self) -> Contained:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, question: Any) -> Any:
        """Return the answer. Raises `ContainedError` if there is none, and `ProcessEnded` if the process ended."""
        if self._socket is None:
            self._fork()
        assert self._socket is not None
        try:
            self._socket.sendall(_frame(question))
            content = self._receive(self._socket)
            reply = json.loads(content)
            if not isinstance(reply, dict) or not ({"answer", "error"} & set(reply)):
                raise ValueError("it is not an answer")
        except ProcessEnded:
            raise
        except (OSError, ValueError, RecursionError) as error:
            reason = self._end(None if isinstance(error, OSError) else "it sent something that is not an answer")
            raise ProcessEnded(reason) from None
        except BaseException:  # interrupted: a late answer must not be taken for that to the next question
            self.close()
            raise
        if "error" in reply:
            raise ContainedError(str(reply["error"]))
        return reply["answer"]

    def close(self) -> None:
        """End the process."""
        if self._socket is not None:
            self._end("closed")

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be shutting down
            self.close()

    # ------------------------------------------------------------------ the process

    def _fork(self) -> None:
        mine, its = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = _fork_patiently()
        if pid == 0:
            try:
                mine.close()
                self._serve(its, parent)
            finally:
                os._exit(0)
        its.close()
        self._pid, self._socket = pid, mine

    def _serve(self, connection: socket.socket, parent: int) -> None:
        """Answer questions until the connection ends. What the code prints is discarded: it will print it again."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return
        faulthandler.disable()
        null = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(null, handle)
        while True:
            try:
                question = json.loads(_receive_frame(connection))
            except (OSError, EOFError):
                return
            try:
                reply = {"answer": self._answer(question)}
                frame = _frame(reply)
            except BaseException as error:
                frame = _frame({"error": describe_error(error) if not isinstance(error, RelattrError) else str(error)})
            connection.sendall(frame)

    def _receive(self, connection: socket.socket) -> bytes:
        """Receive one frame. Raises OSError if the process ends, and `ProcessEnded` if it does not answer."""
        limits = _limits()
        start = time.monotonic()
        if not select.select([connection], [], [], _USUAL_TIME)[0]:
            self._wait(connection, start, limits)
        connection.settimeout(limits[1])
        try:
            return _receive_frame(connection)
        except EOFError as error:
            raise OSError("the process ended") from error

    def _wait(self, connection: socket.socket, start: float, limits: tuple[float, float]) -> None:
        """Wait for an answer while the process reads or computes. Raises `ProcessEnded` at the limits."""
        last_read = last_work = start
        read, work = _activity(self._pid)
        while not select.select([connection], [], [], _LOOK_INTERVAL)[0]:
            now = time.monotonic()
            new_read, new_work = _activity(self._pid)
            if new_read != read:
                last_read = now
            if new_work - work > 0.02 * _LOOK_INTERVAL:
                last_work = now
            read, work = new_read, new_work
            idle, busy = now - max(last_read, last_work), now - last_read
            for took, limit in ((idle, limits[0]), (busy, limits[1]), (now - start, TOTAL_LIMIT)):
                if took > limit:
                    reason = f"no answer after {now - start:.0f} s ({LIMIT_VARIABLE} sets another limit)"
                    raise ProcessEnded(self._end(reason))

    def _end(self, reason: str | None) -> str:
        """Kill and reap the process; return the reason, which is how it ended if None is given."""
        assert self._socket is not None
        self._socket.close()
        self._socket = None
        if reason is not None:
            with contextlib.suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)
        end = time.monotonic() + 2.0
        status = None
        with contextlib.suppress(ChildProcessError):  # another part of this process reaps all children
            while True:
                pid, waited = os.waitpid(self._pid, os.WNOHANG)
                if pid:
                    status = os.waitstatus_to_exitcode(waited)
                    break
                if time.monotonic() > end:  # it has closed the connection and goes on
                    os.kill(self._pid, signal.SIGKILL)
                    end += 1e9
                time.sleep(0.001)
        if reason is not None:
            return reason
        if status is None:
            return "it ended its process"
        if status < 0:
            return f"it ended its process by {_signal_name(-status)}"
        return f"it ended its process with exit code {status}"


def _fork_patiently(patience: float = 10.0) -> int:
    """`os.fork`, repeated while the system refuses it. Raises `RelattrError` after ``patience`` seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            return os.fork()
        except OSError as error:
            if time.monotonic() > end:
                raise RelattrError(f"the system refuses another process: {error.strerror} (see ulimit -u)") from error
        time.sleep(0.1)


def _limits() -> tuple[float, float]:
    """The limits on code that is idle and on code that computes, in seconds."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text:
        return IDLE_LIMIT, BUSY_LIMIT
    seconds, _ = parse_float(text)
    if seconds is None or not 0 < seconds <= 1e6:
        raise RelattrError(f"{LIMIT_VARIABLE}={text!r} is not valid; expected a number of seconds such as 120")
    return seconds, seconds


def _activity(pid: int) -> tuple[int, float]:
    """The bytes that a process has read, and its CPU time in seconds; zeros where they are unknown."""
    read, work = 0, 0.0
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/io", "rb") as file:
            read = next(int(line.split()[1]) for line in file if line.startswith(b"rchar"))
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
            work = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return read, work


def _frame(message: Any) -> bytes:
    content = json.dumps(message).encode()
    if len(content) > MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {len(content):,} bytes is too long; the maximum is {MAX_ANSWER_BYTES:,}")
    return len(content).to_bytes(8, "big") + content


def _receive_frame(connection: socket.socket) -> bytes:
    """Receive one frame. Raises `EOFError` if the other end closes, and `ValueError` for one that is too long."""
    length = int.from_bytes(_receive_exactly(connection, 8), "big")
    if length > MAX_ANSWER_BYTES:
        raise ValueError("a message that is too long")
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, n_bytes: int) -> bytes:
    content = bytearray()
    while len(content) < n_bytes:
        data = connection.recv(min(1 << 16, n_bytes - len(content)))
        if not data:
            raise EOFError
        content += data
    return bytes(content)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
