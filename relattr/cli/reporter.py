"""The progress of a run on stderr: finished, failed and running cells, and the remaining time."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from relattr.cli.output import echo
from relattr.execution.job import Job
from relattr.harness.cell import Cell
from relattr.harness.estimate import CellDurations
from relattr.harness.failure_place import failure_place
from relattr.harness.plan import PlannedCell
from relattr.harness.remaining_time import RemainingTime
from relattr.harness.result import FAILURES, Result
from relattr.harness.store import Store
from relattr.harness.units import format_duration
from relattr.system.text import one_line, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STATUS_INTERVAL = 60.0
"""Seconds without output after which the running cells are printed, if stderr is not a terminal."""
MAX_LOG = 4000
"""Characters of what a cell printed that are shown, from its end."""


class Reporter:
    """Reports the cells of a run on stderr: as progress bars on a terminal, else one line per finished cell.

    ``quiet`` prints only failures; ``verbose`` also prints when a cell starts, its warnings, its traceback, and the end
    of what it printed, which is in ``store``. All methods may be called from any thread.
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        durations: CellDurations,
        jobs: int,
        store: Store,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self._total = len(cells)
        self._remaining = RemainingTime(cells, durations, jobs)
        self._store, self._quiet, self._verbose = store, quiet, verbose
        self._done = self._failed = 0
        self._running: dict[str, tuple[Cell, float, str]] = {}
        self._start = self._last_output = time.monotonic()
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Reporter:
        if not self._quiet and self._total and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
            self._tasks[""] = self._bars.add_task("cells", total=self._total)
        with contextlib.suppress(RuntimeError):  # the system refuses another thread: there are fewer messages
            threading.Thread(target=self._print_running_cells, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    # ------------------------------------------------------------------ events

    def started(self, job: Job) -> None:
        """A cell has started."""
        with self._lock:
            self._running[job.cell.key] = job.cell, time.monotonic(), ""
            if self._bars is not None:
                self._tasks[job.cell.key] = self._bars.add_task(f"  {one_line(str(job.cell))}", total=None)
            elif self._verbose:
                self.print(f"started: {one_line(str(job.cell))}")

    def progressed(self, job: Job, description: str, done: int, total: int) -> None:
        """A running cell reports its progress."""
        with self._lock:
            running = self._running.get(job.cell.key)
            if running is not None:
                cell, start, _ = running
                self._running[job.cell.key] = cell, start, f"{description} {done}/{total}"
            task = self._tasks.get(job.cell.key)
            if self._bars is not None and task is not None:
                self._bars.update(
                    task, description=f"  {one_line(f'{job.cell}: {description}')}", completed=done, total=total
                )

    def finished(self, planned: PlannedCell, result: Result) -> None:
        """A cell has finished, and its result is stored."""
        with self._lock:
            self._remove(planned, result)
            self._failed += result.status in FAILURES
            if self._quiet and result.status not in FAILURES:
                return
            place = failure_place(result.traceback)
            outcome = f"{result.status}: {result.reason.partition(chr(10))[0]}{f' ({place})' if place else ''}"
            if result.status == "ok":
                accuracies = ", ".join(f"{test.test} {100 * test.accuracy:.2f} %" for test in result.tests)
                fit, compare = result.seconds_fit or 0.0, result.seconds_compare or 0.0
                outcome = f"{accuracies}  ({format_duration(fit)} to fit, {format_duration(compare)} to compare)"
            self.print(f"[{self._done}/{self._total}] {one_line(str(planned.cell))}: {outcome}{self._remaining_time()}")
            if self._verbose:
                for text in result.warnings:
                    self.print(f"    warning: {text}")
                if result.traceback:
                    self.print("    " + result.traceback.rstrip().replace("\n", "\n    "))
                log = self._store.log(planned.cell)
                if log:
                    self.print("    " + log.rstrip()[-MAX_LOG:].replace("\n", "\n    "))

    def finished_elsewhere(self, planned: PlannedCell, result: Result) -> None:
        """A cell was computed by another run on the same results folder."""
        with self._lock:
            self._remove(planned)
            if not self._quiet:
                self.print(
                    f"[{self._done}/{self._total}] {one_line(str(planned.cell))}: {result.status}, by another run"
                )

    def print(self, text: str) -> None:
        """Print a line."""
        with self._lock:
            self._last_output = time.monotonic()
            if self._bars is not None:
                self._bars.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)
            else:
                echo(f"{time.monotonic() - self._start:7.1f} s  {text}", err=True)

    # ------------------------------------------------------------------ internals

    def _remove(self, planned: PlannedCell, result: Result | None = None) -> None:
        key = planned.cell.key
        self._done += 1
        self._remaining.finished(planned, result)
        self._running.pop(key, None)
        if self._bars is not None:
            task = self._tasks.pop(key, None)
            if task is not None:
                self._bars.remove_task(task)
            self._update_total()

    def _update_total(self) -> None:
        """Update the bar of all cells."""
        if self._bars is not None:
            description = f"cells{self._failures()}{self._remaining_time()}"
            self._bars.update(self._tasks[""], completed=self._done, description=description)

    def _failures(self) -> str:
        return f", {self._failed} failed" if self._failed else ""

    def _remaining_time(self) -> str:
        """The estimated remaining time, from earlier results and from the cells of this run."""
        now = time.monotonic()
        seconds = self._remaining.seconds({key: now - start for key, (_, start, _) in self._running.items()})
        return f"; about {format_duration(seconds)} left" if seconds is not None and seconds >= 10 else ""

    def _print_running_cells(self) -> None:
        """Update the remaining time; without a terminal, print the running cells every `STATUS_INTERVAL` s."""
        while not self._closed.wait(1.0):
            with self._lock:
                now = time.monotonic()
                self._update_total()
                if self._bars is not None or self._quiet or now - self._last_output < STATUS_INTERVAL:
                    continue
                counts = f"[{self._done}/{self._total}] done{self._failures()}; {len(self._running)} running"
                self.print(f"{counts}{self._remaining_time()}")
                for cell, start, progress in list(self._running.values())[:10]:
                    text = one_line(f"{cell}: {format_duration(now - start)}{', ' + progress if progress else ''}")
                    self.print(f"    {text}")
