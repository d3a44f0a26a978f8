"""Shell patterns that choose among names, such as ``ranksvm-*``."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from relattr.errors import UnknownName

DECIDES_RESULTS = False


def match_names(names: Iterable[str], patterns: Iterable[str], kind: str, advice: str = "") -> list[str]:
    """The names that match any of these shell patterns, in the order of ``names``.

    Raises `UnknownName`, with this advice, for a pattern without a match.
    """
    names = list(names)
    chosen: set[str] = set()
    for pattern in patterns:
        matches = fnmatch.filter(names, pattern)
        if not matches:
            raise UnknownName(kind, pattern, names, advice)
        chosen.update(matches)
    return [name for name in names if name in chosen]
