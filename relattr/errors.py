"""The errors of relattr. A message names the value, what was expected, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DECIDES_RESULTS = False
MAX_MESSAGE_LENGTH = 4000
"""Characters of an exception's message that are kept."""


class RelattrError(Exception):
    """Base class of all errors that relattr raises deliberately."""


class BadInput(RelattrError, ValueError):
    """An invalid value, file or plugin."""


class BadImage(BadInput):
    """A file that cannot be decoded as an image; the message names it."""


def shortened(text: str, limit: int = 80) -> str:
    """The text, or its start and its length if it has more than ``limit`` characters."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"


def describe_error(error: BaseException, limit: int = MAX_MESSAGE_LENGTH) -> str:
    """``Type: message`` of an exception of any code; never raises an exception itself.

    The message can be written as UTF-8 and has at most about ``limit`` characters. An exception whose message cannot be
    computed is described by its type.
    """
    name = type(error).__name__
    try:
        message = "".join(str(error))  # a subclass of str is not trusted either
    except BaseException as second:
        return f"{name} (its message cannot be computed: {type(second).__name__})"
    return clean_text(f"{name}: {message}" if message else name, limit)


def is_refused_thread(error: BaseException | None) -> bool:
    """Whether an exception, or one that it was raised from or during, is the system's refusal to start a thread."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def clean_text(text: str, limit: int) -> str:
    """Text that can be written as UTF-8, with its middle left out if it has more than ``limit`` characters."""
    if len(text) > limit:
        end = limit // 4
        start = limit - end
        text = f"{text[:start]} [... {len(text) - limit:,} characters left out ...] {text[-end:]}"
    return text.encode("utf-8", "backslashreplace").decode()


MAX_KNOWN = 60
"""Names that the message about an unknown one lists at most."""


NEAR = 0.6
"""Similarity, from 0 to 1, from which a name is suggested: the unknown one may be a misspelling of it."""
MAYBE_PLUGIN = "if it is in a plugin file, pass the folder of the file: --plugins FOLDER, in Python plugins=FOLDER"


def near_names(name: object, known: Iterable[str]) -> list[str]:
    """At most three known names of which this one may be a misspelling, the nearest first."""
    return difflib.get_close_matches(str(name), sorted(known), n=3, cutoff=NEAR)


class UnknownName(BadInput):
    """An unknown name; the message suggests similar ones.

    If there are none, it has the ``advice``, such as `MAYBE_PLUGIN`, and lists the known names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], advice: str = "") -> None:
        known = sorted(known)
        near = near_names(name, known)
        shown = ", ".join(known[:MAX_KNOWN]) or "none"
        if len(known) > MAX_KNOWN:
            shown += f" and {len(known) - MAX_KNOWN:,} others"
        hints = [f"did you mean {' or '.join(near)}?"] if near else [*filter(None, [advice]), f"known: {shown}"]
        super().__init__(f"no {kind} is called {name!r}; {'; '.join(hints)}")
        self._arguments = kind, name, known, advice

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str], str]]:
        return type(self), self._arguments  # so that it can be pickled, for another process


class Blocked(RelattrError):
    """Something besides the code is missing: weights, data, a package or a GPU.

    A cell that raises it has the status ``blocked`` with this message as the reason. Its entry in the table is empty,
    and the run does not fail.
    """
