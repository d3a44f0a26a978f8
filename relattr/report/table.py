"""A paper table as data: rows, columns, measured beside published, and a note on every difference.

Built from the store and nothing else, in an order that does not depend on when a cell was computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from relattr.statistics.ranks import Ranks

if TYPE_CHECKING:
    from relattr.report.gains import Gains

Verdict = Literal["", "reproduced", "within noise", "not reproduced", "not comparable", "not judged"]

NEAR = 3.0
"""Reproduced: no number that the interval holds is further from the published one than so many points."""
SAME = 0.5
"""Reproduced as well, however narrow the interval: within so many points of the published number."""
LEVEL = 0.95

RULE = "Accuracy in per cent: correct / ordered test pairs; similar pairs are not scored, a tie is an error."
INTERVAL = (
    "After ±: half the 95 % interval over images drawn anew (pairs share images and are not independent); "
    "with several seeds it holds their spread too."
)
BOLD = (
    "Bold: the best of those measured on most attributes, splits and seeds, and all of them that a paired test over "
    "images cannot tell from it (5 %, Holm's correction)."
)
VERDICTS = (
    f"Reproduced: the published number is in the 95 % interval and the interval within {NEAR:g} points of it, or the "
    f"two are within {SAME:g} points. Within noise: in an interval that is wider. Not comparable: measured on "
    "something else, for the reasons noted."
)


@dataclass(frozen=True)
class Entry:
    """One method in one column; all numbers in per cent."""

    measured: float | None = None
    """The mean over the attributes (and seeds, and splits)."""
    low: float | None = None
    high: float | None = None
    published: float | None = None
    constant: bool = False
    """Whether the row is a published constant, shown as such."""
    n_ordered: int = 0
    """Ordered test pairs that were judged, over all attributes and splits."""
    n_images: int = 0
    n_attributes: int = 0
    n_cells: int = 0
    """Cells that are in it of those that the benchmark has for them: attributes, splits and seeds."""
    n_seeds: int = 0
    seed_spread: float | None = None
    """Standard deviation of the accuracy between seeds, where there are two."""
    spearman: float | None = None
    """Mean rank correlation of strengths with the scores of the test images, where they have scores."""
    own_rule: bool = False
    """Whether its ties count otherwise than everybody's: such a number competes with no other."""
    error_images: float | None = None
    """Standard error from which images were drawn, in points."""
    error_seeds: float | None = None
    """Standard error of the mean over seeds from training again, in points; None with one seed."""
    best: bool = False
    """Whether it is the best of its column or cannot be told from it."""
    p_best: float | None = None
    """Holm's p-value of its difference from the best; None for the best itself and where there is none."""
    verdict: Verdict = ""
    status: str = "ok"
    """ok, published, not run, or what the cells ended as."""
    seconds: float | None = None
    """Fitting and comparing, on the mean over seeds and summed over attributes."""
    reliability: str = ""
    """How far the published number is to be trusted, where it is not the paper's own table."""
    texts: tuple[str, ...] = ()
    """What a reader must know of this number."""

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def difference(self) -> float | None:
        """Measured less published, in points."""
        return None if self.measured is None or self.published is None else self.measured - self.published


@dataclass(frozen=True)
class Head:
    """The head of a column; ``key`` names it in files, ``group`` is what stands above it."""

    label: str
    key: str


@dataclass(frozen=True)
class Line:
    """One row of the table; ``key`` names it in files."""

    label: str
    key: str
    entries: tuple[Entry, ...]
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
    gains: Gains | None = None
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


def verdict(
    entry_measured: float, low: float | None, high: float | None, published: float, comparable: bool
) -> Verdict:
    """Whether a published number was reproduced; see `VERDICTS`."""
    if not comparable:
        return "not comparable"
    if low is None or high is None:
        return "not judged"
    inside = low <= published <= high
    if inside and max(high - published, published - low) <= NEAR:
        return "reproduced"
    if abs(entry_measured - published) <= SAME:
        return "reproduced"
    return "within noise" if inside else "not reproduced"


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
