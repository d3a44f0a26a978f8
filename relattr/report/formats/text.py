"""Tables as plain text, for the terminal.

The text is the same on every terminal and in a pipe: columns are as wide as their content and nothing is wrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from relattr.report.formats.improvement_cells import IMPROVEMENT_HEADER, improvement_cells
from relattr.report.tables.ablation import PARTIAL_NOTE, Ablation, AblationEffect
from relattr.report.tables.captions import BOLD, SHORT_BOLD
from relattr.report.tables.correlations import correlated_columns, correlation_text, correlations_caption
from relattr.report.tables.entry import TableEntry
from relattr.report.tables.footnotes import NoteDetail, place_footnotes, shortened_notes
from relattr.report.tables.table import PaperTable
from relattr.system.text import one_line

if TYPE_CHECKING:
    from rich.table import Table


def table_to_text(table: PaperTable, notes: NoteDetail = "short") -> str:
    """Title, measured and published numbers by column, notes and caption; a star stands for bold.

    With ``full`` notes the caption explains everything; otherwise it is the short one.
    """
    table = shortened_notes(table, notes)
    footnotes = place_footnotes(table)
    has_published = [any(row.entries[k].published is not None for row in table.rows) for k in range(len(table.columns))]
    header = ["\nmethod"]
    for column, of_column, published in zip(table.columns, footnotes.columns, has_published, strict=True):
        header += [f"{column.label}\npublished"] if published else []
        header.append(f"{column.label}{footnotes.suffix(of_column)}\nmeasured")
    rows = []
    for i, row in enumerate(table.rows):
        cells = [row.label + footnotes.suffix(footnotes.rows[i])]
        for entry, of_entry, published in zip(row.entries, footnotes.entries[i], has_published, strict=True):
            if published:
                cells.append("-" if entry.published is None else f"{entry.published:.2f}")
            cells.append(_cell(entry) + footnotes.suffix(of_entry))
        rows.append(cells)
    lines = [table.title, "", _aligned(header, rows)]
    lines += ["", *(f"WARNING: {one_line(warning)}" for warning in table.warnings)] if table.warnings else []
    listing = [one_line(line) for line in footnotes.listing()]
    lines += ["", *listing] if listing else []
    caption = table.caption if notes == "full" else table.short_caption
    for bold in (BOLD, SHORT_BOLD):
        caption = caption.replace(bold, bold.replace("Bold", "Star"))
    lines += ["", caption]
    if shown := correlated_columns(table):
        header = ["Method", *(table.columns[k].label for k in shown)]
        correlated = [row for row in table.rows if any(row.entries[k].spearman is not None for k in shown)]
        rows = [[row.label, *(correlation_text(row.entries[k]) for k in shown)] for row in correlated]
        lines += ["", _aligned(header, rows), "", correlations_caption(table)]
    if table.improvement is not None:
        lines += ["", _aligned(IMPROVEMENT_HEADER, improvement_cells(table.improvement)), "", table.improvement.caption]
    return "\n".join(lines) + "\n"


def ablation_to_text(ablation: Ablation) -> str:
    """Title, the base's accuracies, the effects of the other methods, and caption; a star stands for bold."""
    header = ["Method", *(column.label for column in ablation.columns)]
    accuracies = ["–" if accuracy is None else f"{accuracy:.2f}" for accuracy in ablation.accuracies]
    rows = [[ablation.base, *accuracies]]
    rows += [[row.label, *map(_effect_cell, row.effects)] for row in ablation.rows]
    lines = [ablation.title, "", _aligned(header, rows), ""]
    lines += [f"(a) {PARTIAL_NOTE}", ""] if ablation.partial else []
    return "\n".join([*lines, ablation.caption.replace("Bold:", "Star:")]) + "\n"


def _cell(entry: TableEntry) -> str:
    if entry.measured is None:
        return "–"
    number = f"{'*' if entry.best else ''}{entry.measured:.2f}"
    return " ".join(part for part in (number, entry.spread, entry.part) if part)


def _effect_cell(effect: AblationEffect | None) -> str:
    if effect is None:
        return "–"
    value = f"*{effect.text}" if effect.significant else effect.text
    return f"{value} ± {effect.half_width:.1f}{' (a)' if effect.partial else ''}"


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows with aligned columns, the first to the left and the others to the right, below a ruled header."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for k, label in enumerate(header):
        table.add_column(label, justify="left" if k == 0 else "right", vertical="bottom", no_wrap=True)
    for row in rows:
        table.add_row(*(" ".join(cell.split()) for cell in row))
    return _render(table)


def _render(table: Table) -> str:
    import io

    from rich.console import Console

    out = io.StringIO()
    # a width that no table reaches, and neither markup nor emoji codes: labels have brackets and colons
    console = Console(file=out, width=1_000_000, color_system=None, markup=False, emoji=False, highlight=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
