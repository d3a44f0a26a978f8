"""The errors of relattr. A message names the value, what was expected, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DECIDES_RESULTS = False


class RelattrError(Exception):
    """Base class of all errors that relattr raises deliberately."""


class BadInput(RelattrError, ValueError):
    """An invalid value, file or plugin."""


class BadImage(BadInput):
    """A file that cannot be decoded as an image; the message names it."""


class UnknownName(BadInput):
    """An unknown name; the message suggests similar ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
        super().__init__(f"no {kind} is called {name!r}; {hint}")
        self._arguments = kind, name, known

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str]]]:
        return type(self), self._arguments  # so that it can be pickled, for another process


class Blocked(RelattrError):
    """Something besides the code is missing: weights, data, a package or a GPU.

    A cell that raises it has the status ``blocked`` with this message as the reason. Its entry in the table is empty,
    and the run does not fail.
    """
