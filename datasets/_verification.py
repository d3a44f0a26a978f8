"""Helpers of `Dataset.verify`: run one check, summarise its problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from relattr.dataset import VerificationResult
from relattr.errors import BadInput

DECIDES_RESULTS = False

CheckFunction = Callable[[], tuple[bool, str]]
"""Returns whether the check passed, and what was found."""


def run_check(what: str, check: CheckFunction) -> VerificationResult:
    """Run a check. A `BadInput` that it raises becomes a failed finding."""
    try:
        ok, detail = check()
    except BadInput as error:
        ok, detail = False, str(error)
    return VerificationResult(what, ok, detail)


def check_available(what: str, reason: str | None, detail: str) -> VerificationResult:
    """Report whether the files are present; ``reason`` says what is missing, None if nothing is."""
    return VerificationResult(what, not reason, reason or detail)


def join_first(problems: Iterable[Any], shown: int = 5) -> str:
    """Join the first few problems into one line and count the rest."""
    texts = [str(problem) for problem in problems]
    rest = f"; and {len(texts) - shown:,} more" if len(texts) > shown else ""
    return "; ".join(texts[:shown]) + rest
