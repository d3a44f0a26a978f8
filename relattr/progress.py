"""Progress of long work, reported to whoever listens: a terminal, a log, or nobody.

Work says ``with track("decoding", total=2688) as advance: ... advance(256)``, and where there is more to say, such
as a loss, ``advance(1, "loss 0.31")``. The command line sets the listener; a library call without one stays silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

DECIDES_RESULTS = False


class Advance(Protocol):
    """Called with the number of steps just done, and what a person would like to know of them."""

    def __call__(self, n: int, note: str = "", /) -> None: ...


Listener = Callable[[str, int], AbstractContextManager[Advance]]


@contextmanager
def _silence(description: str, total: int) -> Iterator[Advance]:
    yield lambda n, note="": None


_listener: ContextVar[Listener] = ContextVar("relattr_progress", default=_silence)


def track(description: str, total: int) -> AbstractContextManager[Advance]:
    """A context whose value is called with the number of steps just done, out of ``total``."""
    return _listener.get()(description, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Report all work inside to this listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
