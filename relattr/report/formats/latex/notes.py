"""The notes of a table as LaTeX, for an appendix: how to read the numbers, and every note at its place."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.report.formats.escape import escape_latex
from relattr.report.formats.latex.environments import HEADER
from relattr.report.tables.footnotes import GENERAL, place_footnotes
from relattr.report.tables.table import PaperTable


def notes_to_latex(table: PaperTable) -> str:
    """The full caption, then the notes on all numbers, on columns, on rows, and on single numbers."""
    footnotes = place_footnotes(table)
    places: dict[tuple[str, ...], list[str]] = {}
    for column, notes in zip(table.columns, footnotes.columns, strict=True):
        places.setdefault(notes, []).append(column.label)
    for row, of_row, of_entries in zip(table.rows, footnotes.rows, footnotes.entries, strict=True):
        places.setdefault(of_row, []).append(row.label)
        columns: dict[tuple[str, ...], list[str]] = {}
        for column, notes in zip(table.columns, of_entries, strict=True):
            columns.setdefault(notes, []).append(column.label)
        for notes, labels in columns.items():
            places.setdefault(notes, []).append(f"{row.label} ({', '.join(labels)})")
    items = [(GENERAL, footnotes.general), *((", ".join(where), notes) for notes, where in places.items())]
    lines = [_item(where, notes) for where, notes in items if notes]
    listing = [r"\begin{itemize}\setlength\itemsep{2pt}\raggedright", *lines, r"\end{itemize}"] if lines else []
    text = "\n".join([escape_latex(table.caption), *listing])
    return f"{HEADER}{{\\footnotesize\n\\paragraph{{Notes on {escape_latex(table.title)}.}}\n{text}\n\\par}}\n"


def _item(where: str, notes: Sequence[str]) -> str:
    return rf"  \item \textbf{{{escape_latex(where)}:}} {escape_latex('; '.join(notes))}."
