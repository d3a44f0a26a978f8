"""The outside of a cell: forks it, watches its whole process tree, ends it, and says what it came to.

A supervisor has one cell at a time and adopts every orphan below it, so whatever is below it belongs
to that cell and goes with it. It computes nothing itself and never runs a plugin's code.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from collections import deque
from functools import cache
from typing import Any

import msgspec

from relattr import sources
from relattr.execution import ipc, processes
from relattr.execution.job import Done, Job, Lost, Outcome
from relattr.execution.worker import run_cell
from relattr.harness.limits import seconds, show_size, size
from relattr.harness.provenance import provenance
from relattr.harness.result import VERSION, Result, Status
from relattr.registry import Registry

LOG_HEAD, LOG_TAIL = 64 << 10, 64 << 10
"""Bytes kept of the beginning and the end of what a cell prints."""
POLL, PATIENT = 0.05, 0.5
"""Seconds between two looks at a cell's memory, and at most where looking is dear."""


class Log:
    """The beginning and the end of a stream, however long it is."""

    def __init__(self) -> None:
        self.total = 0
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._in_tail = 0

    def feed(self, piece: bytes) -> None:
        """Take in the next piece."""
        self.total += len(piece)
        room = LOG_HEAD - len(self._head)
        self._head += piece[:room]
        piece = piece[room:] if room > 0 else piece
        if piece:
            self._tail.append(piece)
            self._in_tail += len(piece)
            while self._in_tail - len(self._tail[0]) >= LOG_TAIL:
                self._in_tail -= len(self._tail.popleft())

    def text(self) -> str:
        """What was kept, and how much was not."""
        tail = b"".join(self._tail)[-LOG_TAIL:]
        left_out = self.total - len(self._head) - len(tail)
        middle = f"\n[... {left_out:,} bytes left out ...]\n".encode() if left_out else b""
        return (bytes(self._head) + middle + tail).decode(errors="replace")


@cache
def _scratch() -> str:
    """The folder for temporary files of this supervisor's cells, emptied after each."""
    return tempfile.mkdtemp(prefix="relattr-cell-")


def _empty(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


class _Ended(Exception):
    """The runner is gone or no longer wants the cell."""


class SupervisedCell:
    """One cell's process, from fork to the last of its descendants."""

    def __init__(self, job: Job, registry: Registry, connection: socket.socket) -> None:
        self.job = job
        self.registry = registry
        self.connection = connection
        self.log = Log()
        self.trace = bytearray()
        self.result: tuple[bytes, bytes] | None = None
        self.peak = 0
        self.why: tuple[Status, str] | None = None
        """What the supervisor ended it for."""
        self._parser = ipc.Parser()
        self._time = seconds(job.limits.time) if job.limits.time else None
        self._memory = size(job.limits.memory) if job.limits.memory else None
        self._files = _signatures(job)

    def run(self) -> Outcome:
        """Run the cell to its end. Raises `_Ended` when the runner goes away meanwhile."""
        other = _other_code(self.job, self.registry)
        if other:
            return self._finish("failed", f"this worker has other code than the plan was made with: {other}", 0.0)
        oom = processes.out_of_memory_kills()
        scratch = _scratch()
        began = time.monotonic()
        pid, handles = self._fork(scratch)
        try:
            code = self._watch(pid, handles, began)
            left = processes.kill_below(os.getpid())
            self._drain(handles)
        finally:
            for handle in handles:
                os.close(handle)
            processes.kill_below(os.getpid())
            _empty(scratch)
        took = time.monotonic() - began
        warning = f"left {left} process{'es' * (left > 1)} running, which were killed" if left else ""
        if self.result is not None:  # it was done, even if it was killed between its last word and its end
            return self._done(*self.result, took, warning)
        if self.why is not None:
            return self._finish(*self.why, took, warning)
        if code == -signal.SIGKILL:
            if processes.out_of_memory_kills() > oom:
                return self._finish("memory", "killed by the kernel: this machine ran out of memory", took, warning)
            return Lost("its process was killed from outside (SIGKILL)", 3)
        if code < 0:
            return self._finish("crashed", f"killed by signal {-code} ({_signal_name(-code)})", took, warning)
        if code == 70 and self.trace:
            last = self.trace.decode(errors="replace").strip().splitlines()[-1]
            return self._finish("crashed", f"the cell's process failed: {last}", took, warning)
        return self._finish("crashed", f"its process ended with exit code {code} and no result", took, warning)

    # ------------------------------------------------------------------ while it runs

    def _fork(self, scratch: str) -> tuple[int, list[int]]:
        pipes = [os.pipe() for _ in range(3)]
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.connection.close()
            for reading, _ in pipes:
                os.close(reading)
            output, reports, trace = (writing for _, writing in pipes)
            run_cell(self.job, me, output, reports, trace, scratch)
        for reading, writing in pipes:
            os.close(writing)
            os.set_blocking(reading, False)
        return pid, [reading for reading, _ in pipes]

    def _watch(self, pid: int, handles: list[int], began: float) -> int:
        """Look after the cell until its process ends; its exit code, negative for a signal."""
        ended = os.pidfd_open(pid)
        poller = select.poll()
        for handle in (*handles, ended, self.connection.fileno()):
            poller.register(handle, select.POLLIN | select.POLLHUP)
        interval, next_look = 0.01, began + 0.01
        try:
            while True:
                now = time.monotonic()
                wait = next_look - now if self._time is None else min(next_look, began + self._time) - now
                ready = [handle for handle, _ in poller.poll(max(0.0, wait) * 1000 + 0.5)]
                for handle in handles:
                    if handle in ready and not self._read(handle, handles):
                        poller.unregister(handle)
                if self.connection.fileno() in ready:
                    raise _Ended
                if ended in ready:
                    break
                now = time.monotonic()
                if self._time is not None and now - began >= self._time:
                    self._stop(pid, handles, "timeout", f"took longer than its limit of {self.job.limits.time}")
                    break
                if now >= next_look:
                    spent = time.thread_time()
                    if self._too_large():
                        limit, had = self.job.limits.memory, show_size(self.peak)
                        why = f"its processes had {had}, more than its limit of {limit}; --memory-limit sets another"
                        self._stop(pid, handles, "memory", why)
                        break
                    # what looking costs, not how long others kept it waiting; and never so seldom that a cell
                    # which takes all there is could do so between two looks
                    interval = max(min(interval * 1.5, POLL), min(10 * (time.thread_time() - spent), PATIENT))
                    next_look = time.monotonic() + interval
            _, status, usage = os.wait4(pid, 0)
            self.peak = max(self.peak, usage.ru_maxrss * 1024)
            return os.waitstatus_to_exitcode(status)
        finally:
            os.close(ended)

    def _too_large(self) -> bool:
        family = processes.descendants(os.getpid())
        used = processes.resident(family)
        if len(family) > 1 and (self._memory is None or used > self._memory or used > self.peak):
            used = processes.proportional(family)
        elif self._memory is not None and used > self._memory:  # libraries shared with other cells are not all its own
            self.peak = max(self.peak, used)
            used = processes.proportional(family)
        self.peak = max(self.peak, used)
        return self._memory is not None and used > self._memory

    def _stop(self, pid: int, handles: list[int], status: Status, reason: str) -> None:
        """End the cell; before that, let its process say where it is."""
        self.why = status, reason
        if status == "timeout":
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGUSR1)
            end = time.monotonic() + 0.3
            while time.monotonic() < end and not self.trace:
                select.select(handles, [], [], 0.05)
                self._drain(handles)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)

    def _read(self, handle: int, handles: list[int]) -> bool:
        """Take what is in a pipe; False at its end."""
        try:
            piece = os.read(handle, 1 << 18)
        except BlockingIOError:
            return True
        if not piece:
            return False
        output, reports, _ = handles
        if handle == output:
            self.log.feed(piece)
        elif handle == reports:
            self._hear(piece)
        else:
            self.trace = (self.trace + piece)[: 1 << 17]
        return True

    def _hear(self, piece: bytes) -> None:
        try:
            for message in self._parser.feed(piece):
                if message[0] == "result":
                    self.result = message[1], message[2]
                else:
                    ipc.send(self.connection, message)
        except (ValueError, TypeError, IndexError, msgspec.DecodeError):
            self.log.feed(b"\n[the cell wrote something that is no message into the harness's pipe]\n")

    def _drain(self, handles: list[int]) -> None:
        for handle in handles:
            for _ in range(1 << 12):  # what is left in a pipe is small: nobody writes any more
                ready, _, _ = select.select([handle], [], [], 0)
                if not ready or not self._read(handle, handles):
                    break

    # ------------------------------------------------------------------ what it came to

    def _done(self, row: bytes, arrays: bytes, took: float, warning: str) -> Outcome:
        try:
            result = msgspec.json.decode(row, type=Result)
        except msgspec.DecodeError as error:
            return self._finish("crashed", f"its process sent no readable result: {error}", took, warning)
        if result.cell != self.job.cell:
            return self._finish("crashed", f"its process sent the result of another cell, {result.cell}", took, warning)
        changed = _changed(self._files)
        if changed:  # lazily imported: which of the two it ran cannot be known
            prints = {k: "changed while it ran" if k in changed else v for k, v in result.fingerprints.items()}
            result = msgspec.structs.replace(result, fingerprints=prints)
        return Done(self._encode(result, took, warning), arrays, self.log.text())

    def _finish(self, status: Status, reason: str, took: float, warning: str = "") -> Done:
        """The row of a cell that could not write its own."""
        job = self.job
        method = self.registry.methods.get(job.cell.method)
        dataset = self.registry.datasets.get(job.cell.dataset)
        result = Result(
            version=VERSION,
            cell=job.cell,
            status=status,
            fingerprints=job.fingerprints,
            provenance=provenance(job.device, job.threads, job.origin, job.gpu),
            label=method.label if method else job.cell.method,
            dataset_label=dataset.label if dataset else job.cell.dataset,
            reason=reason,
            traceback=self.trace.decode(errors="replace"),
        )
        return Done(self._encode(result, took, warning), b"", self.log.text())

    def _encode(self, result: Result, took: float, warning: str) -> bytes:
        limits = {k: v for k, v in msgspec.structs.asdict(self.job.limits).items() if v and v != "none"}
        result = msgspec.structs.replace(
            result,
            seconds=round(took, 3),
            peak_memory_bytes=self.peak,
            limits=limits,
            warnings=(*result.warnings, *([warning] if warning else [])),
        )
        return msgspec.json.encode(result)


def serve(connection: socket.socket, registry: Registry, server: int) -> None:
    """Run the cells that come through ``connection``, one after another, until it closes or the server dies."""
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, _end)
    processes.die_with_parent(server, signal.SIGTERM)
    try:
        while True:
            job = msgspec.convert(ipc.receive(connection), Job)
            outcome = SupervisedCell(job, registry, connection).run()
            kind = "lost" if isinstance(outcome, Lost) else "done"
            ipc.send(connection, [kind, *_fields(outcome)])
    except (_Ended, EOFError, BrokenPipeError, ConnectionResetError):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        processes.kill_below(os.getpid())


def _end(number: int, frame: object) -> None:
    raise _Ended


def _fields(outcome: Outcome) -> list[Any]:
    return [getattr(outcome, name) for name in outcome.__struct_fields__]


def _modules(job: Job) -> list[str]:
    return [name.removeprefix("code ") for name in job.fingerprints if name.startswith("code ")]


def _other_code(job: Job, registry: Registry) -> str:
    """Which modules are not here as the plan saw them."""
    here: dict[str, str] = {}
    for entry in (registry.methods.get(job.cell.method), registry.datasets.get(job.cell.dataset)):
        if entry is not None:  # a plugin that is not here is reported by the cell itself
            here.update(sources.sources_of(entry.module))
    wrong = [name for name in _modules(job) if name in here and here[name] != job.fingerprints[f"code {name}"]]
    return ", ".join(sorted(wrong))


def _signatures(job: Job) -> dict[str, tuple[str, int, int]]:
    """Path, size and time of change of each source the cell runs."""
    found = {}
    for name in _modules(job):
        for path in sources.files_of([name]):
            with contextlib.suppress(OSError):
                state = path.stat()
                found[f"code {name}"] = str(path), state.st_size, state.st_mtime_ns
    return found


def _changed(before: dict[str, tuple[str, int, int]]) -> set[str]:
    gone = set()
    for name, (path, length, mtime) in before.items():
        try:
            state = os.stat(path)
        except OSError:
            gone.add(name)
            continue
        if (state.st_size, state.st_mtime_ns) != (length, mtime):
            gone.add(name)
    return gone


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
