"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.report.formats.escape import escape_markdown
from relattr.report.formats.improvement_cells import IMPROVEMENT_HEADER, improvement_cells
from relattr.report.tables.ablation import PARTIAL_NOTE, Ablation, AblationEffect
from relattr.report.tables.correlations import correlated_columns, correlation_text, correlations_caption
from relattr.report.tables.entry import VERDICTS, TableEntry
from relattr.report.tables.footnotes import Footnotes, place_footnotes
from relattr.report.tables.improvement import Improvement
from relattr.report.tables.table import PaperTable


def table_to_markdown(table: PaperTable) -> str:
    """A heading, the caption, the table as in the paper, its notes; then measured and published numbers, and ranks."""
    footnotes = place_footnotes(table)
    header = ["Method", "Setting"] if table.has_settings else ["Method"]
    for column, notes in zip(table.columns, footnotes.columns, strict=True):
        header.append(escape_markdown(column.label) + footnotes.suffix(notes))
    rows = []
    for i, row in enumerate(table.rows):
        cells = [escape_markdown(row.short_name) + footnotes.suffix(footnotes.rows[i])]
        cells += [escape_markdown(row.setting)] if table.has_settings else []
        for entry, notes in zip(row.entries, footnotes.entries[i], strict=True):
            cells.append(_cell(entry) + footnotes.suffix(notes))
        rows.append(cells)
    lines = [f"# {escape_markdown(table.title)}", ""]
    for warning in table.warnings:
        lines += [f"> **Warning.** {escape_markdown(warning)}.", ""]
    lines += [escape_markdown(table.caption), ""]
    lines += pipe_table(header, rows, text_columns=(0, 1) if table.has_settings else (0,))
    listing = [f"- {line}" for line in footnotes.listing(escape_markdown)]
    lines += ["", *listing] if listing else []
    lines += _comparison(table, footnotes)
    lines += _correlations(table)
    lines += _improvement(table.improvement)
    return "\n".join(lines) + "\n"


def ablation_to_markdown(ablation: Ablation) -> str:
    """A heading, the caption, and the table: the base's accuracies, then the effects of the other methods."""
    header = ["Method", *(escape_markdown(column.label) for column in ablation.columns)]
    accuracies = ["–" if accuracy is None else f"{accuracy:.2f}" for accuracy in ablation.accuracies]
    rows = [[escape_markdown(ablation.base), *accuracies]]
    rows += [[escape_markdown(row.label), *map(_effect_cell, row.effects)] for row in ablation.rows]
    lines = [f"# {escape_markdown(ablation.title)}", "", escape_markdown(ablation.caption), ""]
    lines += pipe_table(header, rows)
    lines += ["", f"- (a) {PARTIAL_NOTE}"] if ablation.partial else []
    return "\n".join(lines) + "\n"


def _cell(entry: TableEntry) -> str:
    if entry.measured is None:
        return f"*{entry.published:.2f}*" if entry.constant and entry.published is not None else "–"
    number = f"**{entry.measured:.2f}**" if entry.best else f"{entry.measured:.2f}"
    return " ".join(part for part in (number, escape_markdown(entry.spread), entry.part) if part)


def _effect_cell(effect: AblationEffect | None) -> str:
    if effect is None:
        return "–"
    value = f"**{effect.text}**" if effect.significant else effect.text
    return f"{value} ± {effect.half_width:.1f}{' (a)' if effect.partial else ''}"


def _comparison(table: PaperTable, footnotes: Footnotes) -> list[str]:
    """Measured and published numbers side by side; nothing if no entry has both."""
    rows = []
    for row in table.rows:
        for column, entry in zip(table.columns, row.entries, strict=True):
            if entry.published is None or entry.measured is None:
                continue
            unknown = entry.lower is None or entry.upper is None
            rows.append(
                [
                    escape_markdown(row.label),
                    escape_markdown(column.label),
                    f"{entry.published:.2f}",
                    f"{entry.measured:.2f} {entry.part}".rstrip(),
                    "–" if unknown else f"{entry.lower:.2f} – {entry.upper:.2f}",
                    f"{entry.difference:+.2f}",
                    f"{entry.verdict}{footnotes.suffix(entry.notes)}",
                ]
            )
    if not rows:
        return []
    header = ["Method", "Column", "Published", "Measured", "95 % interval", "Difference", "Verdict"]
    title = ["", "## Measured and published", "", escape_markdown(VERDICTS), ""]
    return title + pipe_table(header, rows, text_columns=(0, 1, 6))


def _correlations(table: PaperTable) -> list[str]:
    """Spearman's rank correlations; nothing if no entry has any."""
    shown = correlated_columns(table)
    if not shown:
        return []
    rows = []
    for row in table.rows:
        entries = [row.entries[k] for k in shown]
        if any(entry.spearman is not None for entry in entries):
            rows.append([escape_markdown(row.label), *(escape_markdown(correlation_text(entry)) for entry in entries)])
    header = ["Method", *(escape_markdown(table.columns[k].label) for k in shown)]
    return ["", "## Rank correlation", "", escape_markdown(correlations_caption(table)), "", *pipe_table(header, rows)]


def _improvement(improvement: Improvement | None) -> list[str]:
    """Relative improvements by column, and their mean; nothing if the benchmark defines none."""
    if improvement is None:
        return []
    rows = [[escape_markdown(cell) for cell in row] for row in improvement_cells(improvement)]
    title = ["", "## Relative improvement", "", escape_markdown(improvement.caption), ""]
    return title + pipe_table(IMPROVEMENT_HEADER, rows, text_columns=(0, 1, 3))


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = (0,)) -> list[str]:
    """The lines of a Markdown table; columns other than ``text_columns`` are right-aligned."""
    rule = ["---" if k in text_columns else "---:" for k in range(len(header))]
    return ["| " + " | ".join(cells) + " |" for cells in [header, rule, *rows]]
