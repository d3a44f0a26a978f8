"""The sentence in a caption that names the result a figure was drawn from, to detect outdated figures."""

from __future__ import annotations

import re
from collections.abc import Iterable

from relattr.harness.result import Result

_SOURCE = re.compile(r"Drawn from result [0-9a-f]+, arrays [0-9a-f]+\.")


def source_sentence(result: Result) -> str:
    """Return a sentence that identifies a result and its stored arrays."""
    digest = result.arrays.sha256 if result.arrays is not None else "0"
    return f"Drawn from result {result.cell.key}, arrays {digest[:12]}."


def is_drawn_from(caption: str, results: Iterable[Result]) -> bool:
    """Return whether a figure was drawn from one of these results; also true if its caption names none."""
    match = _SOURCE.search(caption)
    return match is None or any(source_sentence(result) == match[0] for result in results)
