"""What a person sees while cells run: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from relattr import progress
from relattr.harness.plan import Planned
from relattr.harness.result import Result


@contextmanager
def bars() -> Iterator[None]:
    """Show the work inside as bars, on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with _progress(console) as shown, progress.listening(_listener(shown)):
        yield


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console, transient=True,
    )  # fmt: skip


def _listener(shown: Progress) -> progress.Listener:
    @contextmanager
    def inside(description: str, total: int) -> Iterator[progress.Advance]:
        task = shown.add_task(f"  {description}", total=total)
        try:
            yield lambda n: shown.advance(task, n)
        finally:
            shown.remove_task(task)

    return inside


class Reporter:
    """Reports the cells of a run, and the work inside the one that runs, until its block ends."""

    def __init__(self, cells: Sequence[Planned], retry: Sequence[str]) -> None:
        self._total = sum(p.runs or (p.result is not None and p.result.status in retry) for p in cells)
        self._done = 0
        self._console = Console(stderr=True)
        self._stack = ExitStack()
        self._bars: Progress | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Reporter:
        if self._console.is_terminal and self._total:
            self._bars = self._stack.enter_context(_progress(self._console))
            self._cells = self._bars.add_task("cells", total=self._total)
            self._stack.enter_context(progress.listening(_listener(self._bars)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def started(self, planned: Planned) -> None:
        """A cell begins."""
        if self._bars is not None:
            self._bars.update(self._cells, description=f"cells  {planned.cell}")

    def finished(self, planned: Planned, result: Result) -> None:
        """A cell has ended, and its result is written."""
        self._done += 1
        what = f"{result.status}: {result.reason.partition(chr(10))[0]}"
        if result.status == "ok":
            numbers = ", ".join(f"{t.test} {100 * t.accuracy:.2f} %" for t in result.tests)
            what = f"{numbers}  ({result.seconds_fit:.1f} s to fit, {result.seconds_compare:.1f} s to compare)"
        line = f"[{self._done}/{self._total}] {planned.cell}: {what}"
        if self._bars is not None:
            self._bars.console.print(line, highlight=False, markup=False, soft_wrap=True)
            self._bars.advance(self._cells)
        else:
            click.echo(f"{time.monotonic() - self._began:7.1f} s  {line}", err=True)
