"""Progress bars for long computations inside a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relattr import progress
from relattr.system.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show the progress of the block (`relattr.progress.track`) as bars, if stderr is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    bars = _bars(console)
    with bars, progress.listening(_listener(bars)):
        yield


def _bars(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _listener(bars: Progress) -> progress.Listener:
    @contextmanager
    def listen(description: str, total: int) -> Iterator[progress.Advance]:
        task = bars.add_task(f"  {one_line(description)}", total=total)

        def advance(n: int, note: str = "") -> None:
            if note:
                bars.update(task, description=f"  {one_line(f'{description}: {note}')}")
            bars.advance(task, n)

        try:
            yield advance
        finally:
            bars.remove_task(task)

    return listen
