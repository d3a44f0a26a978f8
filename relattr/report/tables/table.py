"""A paper table as data: rows, columns, measured beside published, and a note on every difference.

Built from the store and nothing else, in an order that does not depend on when a cell was computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from relattr.report.tables.ablation import Ablation
from relattr.report.tables.entry import Head, TableEntry
from relattr.statistics.ranks import Ranks

RULE = "Accuracy in per cent: correct / ordered test pairs; similar pairs are not scored, a tie is an error."
INTERVAL = (
    "After ±: half the 95 % interval over images drawn anew (pairs share images and are not independent); "
    "with several seeds it holds their spread too."
)
BOLD = (
    "Bold: the best of those measured on most attributes, splits and seeds, and all of them that a paired test over "
    "images cannot tell from it (5 %, Holm's correction)."
)


@dataclass(frozen=True)
class Line:
    """One row of the table; ``key`` names it in files."""

    label: str
    key: str
    entries: tuple[TableEntry, ...]
    block: int = 0
    """Lines of different blocks are parted by a rule: 0 rows of the paper, 1 other methods, 2 published rows."""
    texts: tuple[str, ...] = ()
    """What a reader must know of the whole row."""


@dataclass(frozen=True)
class PaperTable:
    """A whole table, and the tables of single attributes behind its columns."""

    name: str
    title: str
    caption: str
    columns: tuple[Head, ...]
    lines: tuple[Line, ...]
    behind: tuple[PaperTable, ...] = ()
    unreadable: tuple[str, ...] = ()
    ranks: Ranks | None = None
    gains: Ablation | None = None
    """What the others add to one of its methods, where that was asked for."""

    def size_of(self, column: int) -> str:
        """What a column was judged on, in words; empty where nothing was."""
        entries = [line.entries[column] for line in self.lines if line.entries[column].measured is not None]
        if not entries:
            return ""
        full = max(entries, key=lambda e: (e.n_ordered, e.n_attributes))
        words = f"n = {full.n_ordered:,}"
        if full.n_images:
            words += f", {full.n_images:,} images"
        return words + (f", {full.n_attributes} attributes" if full.n_attributes > 1 else "")


def letter(k: int) -> str:
    """0, 1, ... -> a, b, ..., z, aa, ab, ..."""
    letters = ""
    k += 1
    while k:
        k, rest = divmod(k - 1, 26)
        letters = chr(97 + rest) + letters
    return letters


def sizes(table: PaperTable) -> str:
    """What the columns were judged on, as a sentence for the caption."""
    found = [(column.label, table.size_of(k)) for k, column in enumerate(table.columns)]
    found = [(label, size) for label, size in found if size]
    if not found:
        return "Nothing was measured yet."
    if len(found) > 4:
        counts = [
            max(e.n_ordered for line in table.lines if (e := line.entries[k]).measured is not None)
            for k in range(len(table.columns))
            if table.size_of(k) and table.columns[k].key != "mean"
        ]
        span = f"{min(counts):,} to {max(counts):,}" if min(counts) < max(counts) else f"{counts[0]:,}"
        return f"Ordered test pairs: {span} in a column."
    return "Ordered test pairs: " + "; ".join(f"{label}: {size}" for label, size in found) + "."
