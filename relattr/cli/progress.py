"""Bars for long work inside a command, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relattr import progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@contextmanager
def bars() -> Iterator[None]:
    """Show the work inside as bars, on a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    shown = _progress(console)
    with shown, progress.listening(_listener(shown)):
        yield


def _progress(console: Console) -> Progress:
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


def _listener(shown: Progress) -> progress.Listener:
    @contextmanager
    def inside(description: str, total: int) -> Iterator[progress.Advance]:
        task = shown.add_task(f"  {description}", total=total)

        def advance(n: int, note: str = "") -> None:
            if note:
                shown.update(task, description=f"  {description}: {note}")
            shown.advance(task, n)

        try:
            yield advance
        finally:
            shown.remove_task(task)

    return inside
