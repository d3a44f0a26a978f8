"""What a person sees of a run: cells done, failed and running with their own progress, and the time left."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import click

from relattr.execution.job import Job
from relattr.harness.cell import Cell
from relattr.harness.estimate import CellDurations
from relattr.harness.limits import show_seconds
from relattr.harness.plan import PlannedCell
from relattr.harness.result import FAILURES, Result

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

ALIVE = 60.0
"""Seconds between two signs of life where there is no terminal and nothing ends."""


class Reporter:
    """Reports the cells of a run on stderr: bars on a terminal, else a line for each cell that ends.

    ``quiet`` leaves only what failed; ``verbose`` adds each cell's beginning, warnings and what it printed.
    Its methods may be called from any thread.
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        times: CellDurations,
        places: int,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self._total = len(cells)
        self._left = {planned.cell.key: planned for planned in cells}
        self._times, self._places = times, max(1, places)
        self._quiet, self._verbose = quiet, verbose
        self._done = self._failed = 0
        self._taken: list[float] = []
        self._running: dict[str, tuple[Cell, float, str]] = {}
        self._began = self._spoke = time.monotonic()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._bars: Progress | None = None
        self._rows: dict[str, TaskID] = {}

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
            self._rows[""] = self._bars.add_task("cells", total=self._total)
        threading.Thread(target=self._live, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    # ------------------------------------------------------------------ what happens

    def started(self, job: Job) -> None:
        """A cell begins."""
        with self._lock:
            self._running[job.cell.key] = job.cell, time.monotonic(), ""
            if self._bars is not None:
                self._rows[job.cell.key] = self._bars.add_task(f"  {job.cell}", total=None)
            elif self._verbose:
                self.say(f"begins: {job.cell}")

    def heard(self, job: Job, description: str, done: int, total: int) -> None:
        """A running cell reports its own progress."""
        with self._lock:
            known = self._running.get(job.cell.key)
            if known is not None:
                self._running[job.cell.key] = known[0], known[1], f"{description} {done}/{total}"
            row = self._rows.get(job.cell.key)
            if self._bars is not None and row is not None:
                self._bars.update(row, description=f"  {job.cell}: {description}", completed=done, total=total)

    def finished(self, planned: PlannedCell, result: Result) -> None:
        """A cell has ended, and its result is written."""
        with self._lock:
            self._ended(planned)
            self._failed += result.status in FAILURES
            if result.seconds is not None:
                self._taken.append(result.seconds)
            if self._quiet and result.status not in FAILURES:
                return
            what = f"{result.status}: {result.reason.partition(chr(10))[0]}"
            if result.status == "ok":
                numbers = ", ".join(f"{t.test} {100 * t.accuracy:.2f} %" for t in result.tests)
                fit, compare = result.seconds_fit or 0.0, result.seconds_compare or 0.0
                what = f"{numbers}  ({show_seconds(fit)} to fit, {show_seconds(compare)} to compare)"
            self.say(f"[{self._done}/{self._total}] {planned.cell}: {what}{self._remaining()}")
            if self._verbose:
                for text in result.warnings:
                    self.say(f"    warned: {text}")
                if result.traceback:
                    self.say("    " + result.traceback.rstrip().replace("\n", "\n    "))

    def elsewhere(self, planned: PlannedCell, result: Result) -> None:
        """A cell was done by another runner on the same store."""
        with self._lock:
            self._ended(planned)
            if not self._quiet:
                self.say(f"[{self._done}/{self._total}] {planned.cell}: {result.status}, by another runner")

    def say(self, text: str) -> None:
        """A line for the person."""
        with self._lock:
            self._spoke = time.monotonic()
            if self._bars is not None:
                self._bars.console.print(text, highlight=False, markup=False, soft_wrap=True)
            else:
                click.echo(f"{time.monotonic() - self._began:7.1f} s  {text}", err=True)

    # ------------------------------------------------------------------ inside

    def _ended(self, planned: PlannedCell) -> None:
        key = planned.cell.key
        self._done += 1
        self._left.pop(key, None)
        self._running.pop(key, None)
        if self._bars is not None:
            row = self._rows.pop(key, None)
            if row is not None:
                self._bars.remove_task(row)
            failed = f", {self._failed} failed" if self._failed else ""
            self._bars.update(self._rows[""], completed=self._done, description=f"cells{failed}{self._remaining()}")

    def _remaining(self) -> str:
        """The time left, from earlier cells and from those of this run."""
        if not self._left or not self._total:
            return ""
        mean = sum(self._taken) / len(self._taken) if self._taken else None
        seconds = 0.0
        for planned in self._left.values():
            each = self._times.of(planned)
            each = mean if each is None else each
            if each is None:
                return ""
            seconds += each
        seconds /= min(self._places, len(self._left))
        return f"; about {show_seconds(seconds)} left" if seconds >= 10 else ""

    def _live(self) -> None:
        """Without a terminal, say now and then what is running: a log of hours must not look dead."""
        while not self._over.wait(1.0):
            with self._lock:
                now = time.monotonic()
                if self._bars is not None or self._quiet or now - self._spoke < ALIVE:
                    continue
                failed = f", {self._failed} failed" if self._failed else ""
                self.say(f"[{self._done}/{self._total}] done{failed}; {len(self._running)} running{self._remaining()}")
                for cell, since, what in list(self._running.values())[:10]:
                    self.say(f"    {cell}: {show_seconds(now - since)}{', ' + what if what else ''}")
