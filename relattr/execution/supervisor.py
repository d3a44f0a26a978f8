"""The supervisor of a cell: forks it, watches its process tree, enforces its limits, and reports its outcome.

A supervisor runs one cell at a time and is the subreaper of its descendants, so every process below it belongs to
that cell and is killed with it. It computes nothing itself and never runs a plugin's code.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import tempfile
import time
import traceback
from functools import cache
from multiprocessing.connection import Connection

import msgspec

from relattr.errors import clean_text, describe_error
from relattr.execution import ipc, processes
from relattr.execution.job import CellProgress, CellResult, CompletedCell, Job, LostCell, Outcome, RefusedCell
from relattr.execution.job_sources import mismatched_modules, modified_sources, source_stats
from relattr.execution.output_log import OutputLog
from relattr.execution.shared_memory import SharedMemory, mapped_shared_memory, wait_for_trackers
from relattr.execution.worker import EXIT_ERROR, PreparedCell, prepare_cell, run_cell
from relattr.harness.provenance import record_provenance
from relattr.harness.result import VERSION, Result, Status
from relattr.harness.units import format_size, parse_duration, parse_size
from relattr.identity.loaded import CHANGED
from relattr.registry import Registry

MEMORY_POLL_INTERVAL, MAX_MEMORY_POLL_INTERVAL = 0.05, 0.5
"""Seconds between two measurements of a cell's memory; the maximum applies where measuring is expensive."""
FIRST_MEASUREMENT = 0.02
"""Seconds after which the memory of a cell is measured first. That of the process itself is also known at its end."""
MAX_TRACEBACK_BYTES = 1 << 17
MAX_ROW_BYTES = 16 << 20
"""Upper limit on the JSON of a result; `relattr.execution.evaluate` bounds its texts far below this."""
MAX_BAD_MESSAGES = 5
"""How many invalid messages are noted in the log of a cell."""
MAX_DESCRIPTION_LENGTH = 1000
"""Characters of a progress message that are passed on."""


@cache
def _scratch_folder() -> str:
    """The folder for temporary files of this supervisor's cells; emptied after each cell."""
    return tempfile.mkdtemp(prefix="relattr-cell-")


def _empty_folder(folder: str) -> None:
    try:
        entries = os.scandir(folder)
    except OSError:  # a cell has removed it
        os.makedirs(folder, exist_ok=True)
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


class _RunnerGone(BaseException):
    """The runner or the server has ended, or the runner no longer waits for the cell.

    Raised by a signal handler too, so it must pass through every ``except Exception``.
    """


class SupervisedCell:
    """The processes of one cell, from its fork until its last descendant has ended."""

    def __init__(self, job: Job, registry: Registry, connection: Connection) -> None:
        self.job = job
        self.registry = registry
        self.connection = connection
        self.log = OutputLog()
        self.trace = bytearray()
        self.result: CellResult | None = None
        self.peak = 0
        self.terminated: tuple[Status, str] | None = None
        """Status and reason, if the supervisor has terminated the cell."""
        self._parser = ipc.MessageParser(CellResult | CellProgress)
        self._n_bad_messages = 0
        self._time_limit = parse_duration(job.limits.time) if job.limits.time else None
        self._memory_limit = parse_size(job.limits.memory) if job.limits.memory else None
        self._source_stats = source_stats(job)
        self._shared = SharedMemory()

    def run(self) -> Outcome:
        """Run the cell to its end. Raises `_RunnerGone` if the runner closes the connection before that."""
        mismatched = mismatched_modules(self.job, self.registry)
        if mismatched:
            reason = (
                f"the code on this worker differs from the code that the plan was made with: {mismatched}; if it was "
                "edited in the meantime, run again; if the worker is on another machine, install the same version "
                "there, and run with --retry failed"
            )
            return self._failed("failed", reason, 0.0)
        oom_kills = processes.oom_kill_count()
        scratch = _scratch_folder()
        cell = prepare_cell(self.job, scratch)
        start = time.monotonic()
        try:
            pid, pipes = self._fork(cell)
        except processes.ProcessRefused as refusal:
            return RefusedCell(str(refusal))
        try:
            code = self._monitor(pid, pipes, start)
            left = 0
            if remaining := processes.descendants(os.getpid()):
                left = len(wait_for_trackers(remaining))
                processes.kill_descendants(os.getpid())
            self._drain(pipes)
        finally:
            for pipe in pipes:
                os.close(pipe)
            processes.kill_descendants(os.getpid())
            self._shared.remove()
            _empty_folder(scratch)
        took = time.monotonic() - start
        warning = f"left {left} process{'es' * (left > 1)} running, which were killed" if left else ""
        if self.result is not None:  # complete, even if the process was killed between sending it and its end
            return self._completed(self.result, took, warning)
        if self.terminated is not None:
            return self._failed(*self.terminated, took, warning)
        if code == -signal.SIGKILL:
            if processes.oom_kill_count() > oom_kills:
                return self._failed("memory", "killed by the kernel: this machine ran out of memory", took, warning)
            return LostCell("its process was killed from outside (SIGKILL)", 3)
        if code < 0:
            return self._failed("crashed", f"killed by signal {-code} ({processes.signal_name(-code)})", took, warning)
        if code == EXIT_ERROR and self.trace:
            last = self.trace.decode(errors="replace").strip().splitlines()[-1]
            return self._failed("crashed", f"the cell's process failed: {last}", took, warning)
        return self._failed("crashed", f"its process ended with exit code {code} and no result", took, warning)

    # ------------------------------------------------------------------ while it runs

    def _fork(self, cell: PreparedCell) -> tuple[int, list[int]]:
        """Fork the cell. Returns its process ID and the reading ends of its output, report and traceback pipes."""
        pipes = [os.pipe() for _ in range(3)]
        supervisor = os.getpid()
        try:
            pid = processes.fork_patiently()
        except BaseException:
            for handles in pipes:
                for handle in handles:
                    os.close(handle)
            raise
        if pid == 0:
            try:
                self.connection.close()  # else the runner would not notice the death of this supervisor
                for reader, _ in pipes:
                    os.close(reader)
                output, reports, trace = (writer for _, writer in pipes)
                run_cell(cell, supervisor, output, reports, trace)
            finally:
                os._exit(EXIT_ERROR)
        for reader, writer in pipes:
            os.close(writer)
            os.set_blocking(reader, False)
        return pid, [reader for reader, _ in pipes]

    def _monitor(self, pid: int, pipes: list[int], start: float) -> int:
        """Watch the cell until its process ends. Returns its exit code, negative for a signal."""
        ended = os.pidfd_open(pid)
        poller = select.poll()
        for handle in (*pipes, ended, self.connection.fileno()):
            poller.register(handle, select.POLLIN | select.POLLHUP)
        interval, next_measurement = FIRST_MEASUREMENT, start + FIRST_MEASUREMENT
        try:
            while True:
                now = time.monotonic()
                timeout = next_measurement - now
                if self._time_limit is not None and self.terminated is None:
                    timeout = min(timeout, start + self._time_limit - now)
                ready = [handle for handle, _ in poller.poll(max(0.0, timeout) * 1000 + 0.5)]
                for pipe in pipes:
                    if pipe in ready and not self._read(pipe, pipes):
                        poller.unregister(pipe)
                if self.connection.fileno() in ready:
                    raise _RunnerGone
                if ended in ready:
                    break
                now = time.monotonic()
                if self.terminated is not None:  # killed; it ends as soon as the kernel lets go of it
                    next_measurement = now + MAX_MEMORY_POLL_INTERVAL
                elif self._time_limit is not None and now - start >= self._time_limit:
                    self._terminate(pid, pipes, "timeout", f"took longer than its limit of {self.job.limits.time}")
                elif now >= next_measurement:
                    cpu = time.thread_time()
                    if self._exceeds_memory_limit():
                        limit, used = self.job.limits.memory, format_size(self.peak)
                        reason = f"used {used} of memory, limit {limit}; raise it with --memory-limit"
                        self._terminate(pid, pipes, "memory", reason)
                    # the CPU time of a measurement, not the time it waited for other processes. The interval has a
                    # maximum: a cell must not be able to fill the memory between two measurements
                    cost = time.thread_time() - cpu
                    interval = max(min(interval * 1.5, MEMORY_POLL_INTERVAL), min(10 * cost, MAX_MEMORY_POLL_INTERVAL))
                    next_measurement = time.monotonic() + interval
            _, status, usage = os.wait4(pid, 0)
            self.peak = max(self.peak, usage.ru_maxrss * 1024)
            return os.waitstatus_to_exitcode(status)
        finally:
            os.close(ended)

    def _exceeds_memory_limit(self) -> bool:
        limit = self._memory_limit
        pids = processes.descendants(os.getpid())
        used = processes.resident_memory(pids)  # cheap, but counts shared pages once per process
        if len(pids) > 1 and (limit is None or used > limit or used > self.peak):
            used = processes.proportional_memory(pids)
        elif limit is not None and used > limit:  # pages shared with other cells do not all count for this one
            self.peak = max(self.peak, used)
            used = processes.proportional_memory(pids)
        shared = self._shared.measure(pids)
        if shared:  # what is mapped has been counted
            used += max(0, shared - mapped_shared_memory(pids))
        used += self._parser.buffered_bytes
        self.peak = max(self.peak, used)
        return limit is not None and used > limit

    def _terminate(self, pid: int, pipes: list[int], status: Status, reason: str) -> None:
        """Kill the cell's process; at a timeout, ask it for a traceback first."""
        self.terminated = status, reason
        if status == "timeout":
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGUSR1)
            end = time.monotonic() + 0.3
            while time.monotonic() < end and not self.trace:
                select.select(pipes, [], [], 0.05)
                self._drain(pipes)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)

    def _read(self, pipe: int, pipes: list[int]) -> bool:
        """Read the available data of a pipe; False at its end."""
        try:
            data = os.read(pipe, 1 << 18)
        except BlockingIOError:
            return True
        if not data:
            return False
        output, reports, _ = pipes
        if pipe == output:
            self.log.feed(data)
        elif pipe == reports:
            self._handle_reports(data)
        else:
            self.trace = (self.trace + data)[:MAX_TRACEBACK_BYTES]
        return True

    def _handle_reports(self, data: bytes) -> None:
        """Store the result and pass progress on to the runner; log whatever else a cell writes to its report pipe."""
        while True:
            try:
                for message in self._parser.feed(data):
                    if isinstance(message, CellResult):
                        self.result = message
                    else:
                        self._send_progress(message)
                return
            except ipc.BadMessage:  # the cell's code can write to this pipe too
                self._n_bad_messages += 1
                if self._n_bad_messages <= MAX_BAD_MESSAGES:
                    self.log.feed(b"\n[the cell wrote something that is not a message to the pipe of its supervisor]\n")
                data = b""

    def _send_progress(self, progress: CellProgress) -> None:
        """Send progress unless the runner does not read it: waiting would suspend the limits on time and memory."""
        _, writable, _ = select.select([], [self.connection.fileno()], [], 0)
        if writable:
            description = clean_text(progress.description[:MAX_DESCRIPTION_LENGTH], MAX_DESCRIPTION_LENGTH)
            ipc.send_message(self.connection, msgspec.structs.replace(progress, description=description))

    def _drain(self, pipes: list[int]) -> None:
        for pipe in pipes:
            for _ in range(1 << 12):  # bounded, in case a process keeps writing
                ready, _, _ = select.select([pipe], [], [], 0)
                if not ready or not self._read(pipe, pipes):
                    break

    # ------------------------------------------------------------------ the outcome

    def _completed(self, message: CellResult, took: float, warning: str) -> Outcome:
        try:
            if len(message.row) > MAX_ROW_BYTES:
                raise ValueError(f"it has {len(message.row):,} bytes; the maximum is {MAX_ROW_BYTES:,}")
            result = msgspec.json.decode(message.row, type=Result)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return self._failed("crashed", f"its process sent no readable result: {error}", took, warning)
        if result.cell != self.job.cell and result.cell.key != self.job.cell.key:
            return self._failed("crashed", f"its process sent the result of another cell, {result.cell}", took, warning)
        modified = modified_sources(self._source_stats, self.job.fingerprints)
        if modified:  # modules may be imported late, so it is unknown which version the cell ran
            fingerprints = {k: CHANGED if k in modified else v for k, v in result.fingerprints.items()}
            result = msgspec.structs.replace(result, fingerprints=fingerprints)
        return CompletedCell(self._encode(result, took, warning), message.arrays, self.log.text())

    def _failed(self, status: Status, reason: str, took: float, warning: str = "") -> CompletedCell:
        """Build the result of a cell whose process sent none."""
        job = self.job
        method = self.registry.methods.get(job.cell.method)
        dataset = self.registry.datasets.get(job.cell.dataset)
        result = Result(
            version=VERSION,
            cell=job.cell,
            status=status,
            fingerprints=job.fingerprints,
            provenance=record_provenance(job.device, job.threads, job.origin, job.gpu),
            label=method.label if method else job.cell.method,
            dataset_label=dataset.label if dataset else job.cell.dataset,
            reason=reason,
            traceback=self.trace.decode(errors="replace"),
        )
        return CompletedCell(self._encode(result, took, warning), b"", self.log.text())

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


def serve_jobs(connection: Connection, registry: Registry, server: int) -> None:
    """Run the jobs that arrive on ``connection``, one after another, until it closes or the server ends."""
    processes.set_child_subreaper()
    signal.signal(signal.SIGTERM, _raise_runner_gone)
    try:
        processes.set_parent_death_signal(server, signal.SIGTERM)
        while True:
            job = ipc.receive_message(connection, type=Job)
            try:
                outcome = SupervisedCell(job, registry, connection).run()
            except Exception as error:  # of this process, not of the cell: the runner starts another supervisor
                reason = f"its supervisor failed: {describe_error(error)}"
                outcome = LostCell(reason, 2, traceback=clean_text(traceback.format_exc(), MAX_TRACEBACK_BYTES))
            ipc.send_message(connection, outcome)
            if isinstance(outcome, LostCell) and outcome.traceback:
                break
    except (_RunnerGone, EOFError, BrokenPipeError, ConnectionResetError):
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    processes.kill_descendants(os.getpid())


def _raise_runner_gone(number: int, frame: object) -> None:
    raise _RunnerGone
