"""Rows of text as aligned columns, with Rich on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from relattr.cli.output import echo
from relattr.system.text import one_line


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table: with a header and fitted to its width on a terminal, else as aligned columns.

    Output that is not a terminal depends neither on a width nor on Rich, whose import takes 50 ms.
    """
    if not sys.stdout.isatty():
        echo(aligned(rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")  # nothing is cut off, however narrow the terminal
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    Console().print(table)


def aligned(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows of text as left-aligned columns; the last column may have any width."""
    if not rows:
        return ""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)
