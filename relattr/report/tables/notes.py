"""Where the notes of a table stand: at what all numbers share, at a row, at a column, or at one number.

A note that holds for a whole row is marked at its name and not at each of its numbers: a reader of eleven
attributes is told of another backbone once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relattr.report.tables.entry import TableEntry
from relattr.report.tables.table import PaperTable, letter


@dataclass(frozen=True)
class Notes:
    """The notes of some columns of a table, each in one place.

    ``general`` hold for every measured number and need no mark; ``heads`` ``(column,)``, ``lines`` ``(row,)``
    and ``cells`` ``[row][column]`` are marked by the letters in ``letters``, in the order of first use.
    """

    general: tuple[str, ...]
    heads: tuple[tuple[str, ...], ...]
    lines: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[tuple[str, ...], ...], ...]
    letters: dict[str, str]

    def marks(self, texts: Iterable[str]) -> list[str]:
        """The letters of those of these texts that have one."""
        found = {self.letters[text] for text in texts if text in self.letters}
        return sorted(found, key=lambda m: (len(m), m))


def notes_of(table: PaperTable, part: Sequence[int] | None = None, *, rows: bool = True) -> Notes:
    """Place the notes of a table, of the columns in ``part`` (default: all). ``rows``: also at names of rows."""
    part = range(len(table.columns)) if part is None else part
    grid = [[line.entries[k] for k in part] for line in table.lines]
    measured = [[e for e in own if e.measured is not None] for own in grid]
    general: tuple[str, ...] = ()
    if sum(bool(own) for own in measured) > 1:
        general = _common([e for own in measured for e in own])
    lines = []
    for line, own, known in zip(table.lines, grid, measured, strict=True):
        shared = known or [e for e in own if e.texts]
        whole = rows and (len(shared) > 1 or len(part) == 1)
        lines.append((*line.texts, *(t for t in _common(shared) if whole and t not in general)))
    heads = []
    for k in range(len(part)):
        own = [e for e in (row[k] for row in grid) if e.measured is not None]
        at_rows = {t for i, row in enumerate(grid) if row[k].measured is not None for t in lines[i]}
        common = _common(own) if len(own) > 1 else ()
        heads.append(tuple(t for t in common if t not in general and t not in at_rows))
    cells = tuple(
        tuple(
            tuple(
                t
                for t in e.texts
                if t not in lines[i] and (e.measured is None or (t not in general and t not in heads[k]))
            )
            for k, e in enumerate(row)
        )
        for i, row in enumerate(grid)
    )
    letters: dict[str, str] = {}
    for texts in (*heads, *(each for i in range(len(grid)) for each in (lines[i], *cells[i]))):
        for text in texts:
            letters.setdefault(text, letter(len(letters)))
    return Notes(general, tuple(heads), tuple(lines), cells, letters)


def _common(entries: Sequence[TableEntry]) -> tuple[str, ...]:
    """The texts that all of these have, in the order of the first."""
    if not entries:
        return ()
    return tuple(t for t in entries[0].texts if all(t in e.texts for e in entries[1:]))


GENERAL = "All measured numbers"
"""What general notes are introduced by."""
