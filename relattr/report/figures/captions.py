"""What a picture was drawn from, said in its caption, so that one of another result is known for that."""

from __future__ import annotations

import re
from collections.abc import Iterable

from relattr.harness.result import Result

_SOURCE = re.compile(r"Drawn from result [0-9a-f]+, arrays [0-9a-f]+\.")


def source(result: Result) -> str:
    """A sentence that names a result and the arrays that were kept with it."""
    digest = result.arrays.sha256 if result.arrays is not None else "0"
    return f"Drawn from result {result.cell.key}, arrays {digest[:12]}."


def is_of(caption: str, results: Iterable[Result]) -> bool:
    """Whether a picture with this caption was drawn from one of these results; also where it does not say."""
    named = _SOURCE.search(caption)
    return named is None or any(source(result) == named[0] for result in results)
