"""The errors a user meets. Each message names the value, what was expected, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DECIDES_RESULTS = False


class RelattrError(Exception):
    """Base class of every error that relattr raises on purpose."""


class BadInput(RelattrError, ValueError):
    """A value, file or plugin that is not what it should be."""


class BadImage(BadInput):
    """A file that cannot be decoded as an image; the message names it."""


class UnknownName(BadInput):
    """A name that nothing is registered under; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
        super().__init__(f"no {kind} is called {name!r}; {hint}")
        self._made_of = kind, name, known

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str]]]:
        return type(self), self._made_of  # so that it can come back from another process


class Blocked(RelattrError):
    """Something outside the code is missing (weights, data, a package, a GPU).

    A cell that raises it ends with status ``blocked`` and this message as the reason: a gap in the
    table, never an error of the run.
    """
