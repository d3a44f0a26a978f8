"""Progress of long computations, reported to a listener.

A computation reports ``with track("decoding", total=2688) as advance: ... advance(256)``, optionally with a note such
as ``advance(1, "loss 0.31")``. The command line sets the listener; without one, nothing is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

DECIDES_RESULTS = False


class Advance(Protocol):
    """Called with the number of steps that have just been completed, and optionally a note for the user."""

    def __call__(self, n: int, note: str = "", /) -> None: ...


Listener = Callable[[str, int], AbstractContextManager[Advance]]


@contextmanager
def _ignore(description: str, total: int) -> Iterator[Advance]:
    yield lambda n, note="": None


_listener: ContextVar[Listener] = ContextVar("relattr_progress", default=_ignore)


def track(description: str, total: int) -> AbstractContextManager[Advance]:
    """Context manager whose value is called with the number of completed steps, out of ``total``."""
    return _listener.get()(description, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Report the progress of the block to this listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
