"""Running the cells of a plan and keeping what each came to.

The seam for processes and clusters is `Executor` (see `relattr.execution.backends`): given jobs, it
yields what they came to in whatever order they end. Only the runner writes to the store, and only
under the cell's lock, so two runners on one store never compute the same cell.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from relattr.errors import RelattrError
from relattr.execution.backends import Executor
from relattr.execution.job import Done, Job, Lost, Outcome, make_job, to_preload
from relattr.harness.cell import changed
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import here, provenance
from relattr.harness.result import VERSION, Result
from relattr.harness.store import Store
from relattr.registry import Registry

WAIT = 0.25
"""Seconds between two looks at cells that another runner has."""

Report = Callable[[PlannedCell, Result], None]


class Runner:
    """Takes cells one by one, each under its lock, and writes what they came to.

    ``report`` is called with each cell that has ended, ``elsewhere`` with each that another runner did, ``say``
    with whatever else a person should know.
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        registry: Registry,
        store: Store,
        *,
        report: Report = lambda planned, result: None,
        elsewhere: Report = lambda planned, result: None,
        say: Callable[[str], None] = lambda text: None,
        device: str = "auto",
        threads: int = 0,
        folders: Sequence[Path] = (),
    ) -> None:
        self._registry = registry
        self._store = store
        self._report, self._elsewhere, self._say = report, elsewhere, say
        self._origin = here()
        preload = to_preload(cells, registry)
        self._planned = {planned.cell.key: planned for planned in cells}
        self._jobs = {
            planned.cell.key: make_job(
                planned, self._origin, device=device, threads=threads, folders=folders, preload=preload
            )
            for planned in cells
        }
        self._pending = deque(self._jobs)
        self._locks: dict[str, FileLock] = {}
        self._attempts: dict[str, int] = {}
        self._mutex = threading.Lock()
        self.written: list[Result] = []

    def run(self, executor: Executor) -> list[Result]:
        """Compute every cell that no other runner computes, and write each result as it lands.

        Waits for the cells that others have, and takes over those that they leave undone. Returns the results
        written here. Raises `RelattrError` when the store cannot be written.
        """
        try:
            while self._pending:
                before = len(self._pending)
                for job, outcome in executor(self._claim()):
                    self._take(job, outcome)
                if len(self._pending) >= before:
                    time.sleep(WAIT)
        finally:
            for lock in self._locks.values():
                lock.release()
        return self.written

    def _claim(self) -> Iterator[Job]:
        """The cells that are free, each locked; drawn one at a time, when there is a place for it."""
        for _ in range(len(self._pending)):
            with self._mutex:
                if not self._pending:
                    return
                key = self._pending.popleft()
            planned = self._planned[key]
            lock = self._store.lock(planned.cell)
            try:
                lock.acquire(timeout=0)
            except Timeout:  # another runner has it
                with self._mutex:
                    self._pending.append(key)
                continue
            found = self._store.read(planned.cell)
            done_by_other = (
                isinstance(found, Result)
                and found != planned.result
                and not changed(found.fingerprints, planned.fingerprints)
            )
            if done_by_other:
                lock.release()
                assert isinstance(found, Result)
                self._elsewhere(planned, found)
                continue
            aside = self._store.set_aside(planned.cell)
            if aside is not None:
                self._say(f"{planned.reason}; set aside as {aside.name}, and the cell is computed again")
            self._locks[key] = lock
            yield self._jobs[key]

    def _take(self, job: Job, outcome: Outcome) -> None:
        key = job.cell.key
        self._attempts[key] = self._attempts.get(key, 0) + 1
        planned = self._planned[key]
        if isinstance(outcome, Lost):
            if self._attempts[key] < outcome.attempts:
                self._say(f"{job.cell}: {outcome.why}; it is tried again")
                self._locks.pop(key).release()
                with self._mutex:
                    self._pending.append(key)  # last: what was wrong may have passed by then
                return
            outcome = self._given_up(job, planned, outcome)
        result = msgspec.json.decode(outcome.row, type=Result)
        result = msgspec.structs.replace(result, attempts=self._attempts[key])
        try:
            self._store.write(result, outcome.arrays, outcome.log)
        except OSError as error:
            raise RelattrError(
                f"cannot write to the results folder {self._store.folder}: {error.strerror}; what was finished is "
                "kept, and the same command goes on from there"
            ) from error
        if result.status == "ok":
            shutil.rmtree(job.checkpoint, ignore_errors=True)
        self.written.append(result)
        self._locks.pop(key).release()
        self._report(planned, result)

    def _given_up(self, job: Job, planned: PlannedCell, lost: Lost) -> Done:
        method, dataset = self._registry.method(job.cell.method), self._registry.dataset(job.cell.dataset)
        result = Result(
            version=VERSION,
            cell=job.cell,
            status="crashed",
            fingerprints=dict(planned.fingerprints),
            provenance=provenance(job.device, job.threads, self._origin, job.gpu),
            label=method.label,
            dataset_label=dataset.label,
            reason=f"{lost.why}, {lost.attempts} times in a row",
        )
        return Done(msgspec.json.encode(result))
