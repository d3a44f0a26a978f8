"""Rows of text as a table of Markdown or of a terminal, and values as they stand in a CSV file."""

from __future__ import annotations

from collections.abc import Sequence


def pipes(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """A Markdown table; the columns in ``left`` are of words, the others of numbers."""
    rule = ["---" if k in left else "---:" for k in range(len(head))]
    return ["| " + " | ".join(cells) + " |" for cells in [head, rule, *rows]]


def aligned(rows: Sequence[Sequence[str]], ruled: int) -> list[str]:
    """Rows for a terminal, the first column to the left, the others to the right; a rule after row ``ruled``."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(
            c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [*rows[:ruled], ["-" * w for w in widths], *rows[ruled:]]
    ]


def full(value: float | None) -> str:
    """A number in full precision; empty where there is none."""
    return "" if value is None else f"{value:.6f}"


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
