"""Words of messages that depend on a number."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """Return ``1 cell`` or ``1,204 cells``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
