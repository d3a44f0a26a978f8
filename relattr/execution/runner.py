"""Run the cells of a plan and store their results.

How jobs are distributed is up to an `Executor` (see `relattr.execution.dispatch`): it takes jobs and yields their
outcomes in the order in which they end. Only the runner writes to the store, and only while it holds the cell's lock,
so two runners on one store never compute the same cell.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from relattr.errors import RelattrError
from relattr.execution.cell_queue import CellQueue
from relattr.execution.dispatch import Executor
from relattr.execution.job import CompletedCell, Job, LostCell, Outcome, RefusedCell, make_job, preload_by_method
from relattr.harness.estimate import CellDurations
from relattr.harness.fingerprints import fingerprint_differences
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import current_origin, record_provenance
from relattr.harness.result import FAILURES, VERSION, Result
from relattr.harness.store import Store, Unreadable
from relattr.registry import Registry

REFUSAL_PATIENCE = 30.0
"""Seconds for which the system may refuse new processes, while no cell ends, before the run stops."""
LOCK_POLL_INTERVAL = 0.25
"""Seconds between two attempts to lock the cells that other runners compute."""

ResultCallback = Callable[[PlannedCell, Result], None]


class Runner:
    """Locks the cells one by one, has an executor compute them, and writes their results.

    Parameters
    ----------
    on_result : called with each cell that was computed here, and its result.
    on_external_result : called with each cell that another runner has computed, and its result.
    on_message : called with other messages for the user.
    device, threads : see `Job`.
    folders : folders of plugins, for the processes that compute the cells.
    durations : expected durations, for cells that run in parallel: they decide the order (see `CellQueue`).
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        registry: Registry,
        store: Store,
        *,
        on_result: ResultCallback = lambda planned, result: None,
        on_external_result: ResultCallback = lambda planned, result: None,
        on_message: Callable[[str], None] = lambda text: None,
        device: str = "auto",
        threads: int = 0,
        folders: Sequence[Path] = (),
        durations: CellDurations | None = None,
    ) -> None:
        self._registry = registry
        self._store = store
        self._on_result, self._on_external_result, self._on_message = on_result, on_external_result, on_message
        self._origin = current_origin()
        preload = preload_by_method(cells, registry)
        self._planned = {planned.cell.key: planned for planned in cells}
        self._jobs = {
            planned.cell.key: make_job(
                planned,
                self._origin,
                device=device,
                threads=threads,
                folders=folders,
                preload=preload[planned.cell.method],
            )
            for planned in cells
        }
        self._pending = CellQueue(((self._planned[key], job) for key, job in self._jobs.items()), durations)
        self._postponed: list[str] = []  # until the executor has no other cell to run
        self._locks: dict[str, FileLock] = {}
        self._attempts: dict[str, int] = {}
        self._refused_since: float | None = None
        self.written: list[Result] = []

    def run(self, executor: Executor) -> list[Result]:
        """Compute every cell that no other runner computes, and write each result as soon as it is available.

        Waits for the cells that other runners have locked, and computes those that they leave unfinished. Returns the
        results written here: where something is missing now, an earlier result stays (`_keeps_stored`). Raises
        `RelattrError` when the store cannot be written.
        """
        try:
            while self._pending:
                before = len(self._pending)
                for job, outcome in executor(self._next_job):
                    self._record(job, outcome)
                self._stop_if_refused()
                for key in self._postponed:
                    self._pending.put_back(key)
                self._postponed.clear()
                if len(self._pending) >= before:
                    time.sleep(LOCK_POLL_INTERVAL)
        finally:
            for lock in self._locks.values():
                lock.release()
        return self.written

    def _next_job(self) -> Job | None:
        """Lock the next cell that no other runner computes, and return its job; None if there is none now."""
        while self._pending:
            key = self._pending.pop()
            planned = self._planned[key]
            lock = self._store.lock(planned.cell)
            try:
                lock.acquire(timeout=0)
            except Timeout:  # another runner computes it
                self._postponed.append(key)
                continue
            stored = self._store.read(planned.cell)
            if (
                isinstance(stored, Result)
                and stored != planned.result
                and not fingerprint_differences(stored.fingerprints, planned.fingerprints)
            ):  # another runner has computed it since the plan was made
                lock.release()
                self._on_external_result(planned, stored)
                continue
            if isinstance(stored, Unreadable) and stored.inaccessible:
                lock.release()
                self._on_message(f"{planned.cell}: {stored.path} cannot be read: {stored.reason}; it is left as it is")
                continue
            aside = self._store.set_aside(planned.cell)
            if aside is not None:
                self._on_message(f"{planned.reason}; set aside as {aside.name}, and the cell is computed again")
            self._locks[key] = lock
            return self._jobs[key]
        return None

    def _stop_if_refused(self) -> None:
        """Raise `RelattrError` if the system has refused processes for long, which is the fault of no cell."""
        if self._refused_since is not None and time.monotonic() - self._refused_since > REFUSAL_PATIENCE:
            raise RelattrError(
                f"the system has refused new processes for {REFUSAL_PATIENCE:g} s (see ulimit -u, or the limit on "
                "processes of this container); finished cells are stored, and the same command continues from there"
            )

    def _record(self, job: Job, outcome: Outcome) -> None:
        key = job.cell.key
        if isinstance(outcome, RefusedCell):
            if self._refused_since is None:
                self._refused_since = time.monotonic()
                self._on_message(f"{job.cell}: {outcome.reason}; it is tried again")
            self._locks.pop(key).release()
            self._postponed.append(key)
            return
        self._refused_since = None
        self._attempts[key] = self._attempts.get(key, 0) + 1
        planned = self._planned[key]
        if isinstance(outcome, LostCell):
            if self._attempts[key] < outcome.max_attempts:
                self._on_message(f"{job.cell}: {outcome.reason}; it is tried again")
                self._locks.pop(key).release()
                self._pending.put_back(key)
                return
            outcome = self._crashed(job, planned, outcome)
        try:
            result = msgspec.json.decode(outcome.row, type=Result)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            lost = LostCell(f"its supervisor sent no readable result: {error}", self._attempts[key])
            result = msgspec.json.decode(self._crashed(job, planned, lost).row, type=Result)
        result = msgspec.structs.replace(result, attempts=self._attempts[key])
        try:
            is_kept = self._keeps_stored(planned, result)
            if not is_kept:
                self._store.write(result, outcome.arrays, outcome.log)
        except OSError as error:
            raise RelattrError(
                f"cannot write to the results folder {self._store.folder}: {error.strerror}; finished cells "
                "are stored, and the same command continues from there"
            ) from error
        if result.status == "ok":
            shutil.rmtree(job.checkpoint, ignore_errors=True)
        if is_kept:
            self._on_message(f"{job.cell} is {result.status} now: its stored result is kept")
        else:
            self.written.append(result)
        self._locks.pop(key).release()
        self._on_result(planned, result)

    def _keeps_stored(self, planned: PlannedCell, result: Result) -> bool:
        """Whether the stored result of a cell says more than the new one, and stays.

        A number or a failure must not be lost because something is missing now. If the data could not be read when the
        run was planned, a failure is no news of the method, and does not replace a number either.
        """
        stored = self._store.read(planned.cell)
        if result.status == "ok" or not isinstance(stored, Result):
            return False
        if result.status == "blocked":
            return stored.status == "ok" or stored.status in FAILURES
        return stored.status == "ok" and not planned.fingerprints

    def _crashed(self, job: Job, planned: PlannedCell, lost: LostCell) -> CompletedCell:
        method, dataset = self._registry.method(job.cell.method), self._registry.dataset(job.cell.dataset)
        result = Result(
            version=VERSION,
            cell=job.cell,
            status=lost.status,
            fingerprints=dict(planned.fingerprints),
            provenance=record_provenance(job.device, job.threads, self._origin, job.gpu),
            label=method.label,
            dataset_label=dataset.label,
            reason=f"{lost.reason}, {lost.max_attempts} times in a row" if lost.max_attempts > 1 else lost.reason,
            traceback=lost.traceback,
        )
        return CompletedCell(msgspec.json.encode(result))
