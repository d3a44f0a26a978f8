"""Placement of notes: once for all measured numbers, at a row, at a column, or at one number.

A note that applies to a whole row is marked at its label instead of at each of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from relattr.report.tables.entry import TableEntry
from relattr.report.tables.table import PaperTable

GENERAL = "All measured numbers"
"""Introduces the notes that apply to every measured number."""


NoteDetail = Literal["none", "short", "full"]
"""How much a table says about its numbers: nothing, one mark for each kind of note, or every note."""


@dataclass(frozen=True)
class Footnotes:
    """The notes of selected columns of a table, each at one place.

    ``general`` notes apply to every measured number and have no mark. Those in ``columns`` ``[column]``, ``rows``
    ``[row]`` and ``entries`` ``[row][column]`` are marked with the letters in ``letters``, in order of first use.
    """

    general: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    entries: tuple[tuple[tuple[str, ...], ...], ...]
    letters: dict[str, str]

    def marks(self, notes: Iterable[str]) -> list[str]:
        """The letters of these notes, sorted; notes without a letter are skipped."""
        letters = {self.letters[note] for note in notes if note in self.letters}
        return sorted(letters, key=lambda letter: (len(letter), letter))

    def suffix(self, notes: Iterable[str]) -> str:
        """The marks of these notes in plain text, `` (a,b)``; empty without marks."""
        marks = ",".join(self.marks(notes))
        return f" ({marks})" if marks else ""

    def listing(self, escape: Callable[[str], str] = str) -> list[str]:
        """All notes in plain text, one per line, each with its letter."""
        lines = [f"{GENERAL}: {escape('; '.join(self.general))}"] if self.general else []
        return lines + [f"({letter}) {escape(note)}" for note, letter in self.letters.items()]


def shortened_notes(table: PaperTable, detail: NoteDetail) -> PaperTable:
    """The table with all notes (``full``), with the short notes of its numbers (``short``), or without any."""
    if detail == "full":
        return table
    rows = []
    for row in table.rows:
        entries = (replace(entry, notes=entry.short_notes if detail == "short" else ()) for entry in row.entries)
        rows.append(replace(row, entries=tuple(entries), notes=()))
    return replace(table, rows=tuple(rows))


def place_footnotes(table: PaperTable, columns: Sequence[int] | None = None, *, at_rows: bool = True) -> Footnotes:
    """Place the notes of a table.

    Only those of ``columns`` (default: all). ``at_rows``: whether notes shared by a whole row are placed at its label.
    """
    columns = range(len(table.columns)) if columns is None else columns
    grid = [[row.entries[k] for k in columns] for row in table.rows]
    measured = [[entry for entry in entries if entry.measured is not None] for entries in grid]
    general: tuple[str, ...] = ()
    if sum(bool(entries) for entries in measured) > 1:
        general = _common_notes([entry for entries in measured for entry in entries])
    row_notes = []
    for row, entries, measured_entries in zip(table.rows, grid, measured, strict=True):
        sharing = measured_entries or [entry for entry in entries if entry.notes]
        whole_row = at_rows and (len(sharing) > 1 or len(columns) == 1)
        shared = [note for note in _common_notes(sharing) if note not in general] if whole_row else []
        row_notes.append((*row.notes, *shared))
    column_notes = []
    for k in range(len(columns)):
        entries = [row[k] for row in grid if row[k].measured is not None]
        noted = {note for i, row in enumerate(grid) if row[k].measured is not None for note in row_notes[i]}
        common = _common_notes(entries) if len(entries) > 1 else ()
        column_notes.append(tuple(note for note in common if note not in general and note not in noted))
    entry_notes = tuple(
        tuple(
            tuple(
                note
                for note in entry.notes
                if note not in row_notes[i]
                and (entry.measured is None or (note not in general and note not in column_notes[k]))
            )
            for k, entry in enumerate(row)
        )
        for i, row in enumerate(grid)
    )
    letters: dict[str, str] = {}
    for notes in (*column_notes, *(notes for i in range(len(grid)) for notes in (row_notes[i], *entry_notes[i]))):
        for note in notes:
            letters.setdefault(note, footnote_letter(len(letters)))
    return Footnotes(general, tuple(column_notes), tuple(row_notes), entry_notes, letters)


def footnote_letter(k: int) -> str:
    """0, 1, ... -> a, b, ..., z, aa, ab, ..."""
    letters = ""
    k += 1
    while k:
        k, remainder = divmod(k - 1, 26)
        letters = chr(97 + remainder) + letters
    return letters


def _common_notes(entries: Sequence[TableEntry]) -> tuple[str, ...]:
    """The notes that all entries share, in the order of the first."""
    if not entries:
        return ()
    return tuple(note for note in entries[0].notes if all(note in entry.notes for entry in entries[1:]))
