"""A paper table as LaTeX: as in the paper (`table_to_latex`), and with published numbers (`comparison_to_latex`).

Many columns are set in several parts, many rows over several pages. The same table gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relattr.report.formats.escape import escape_latex
from relattr.report.formats.latex.environments import (
    HEADER,
    MAX_COLUMNS,
    MAX_COLUMNS_WITH_INTERVAL,
    column_parts,
    footnote_mark,
    label_column,
    part_of,
    table_environment,
)
from relattr.report.tables.captions import (
    INTERVAL,
    INTERVAL_ENDS,
    SHORT_INTERVAL,
    SHORT_INTERVAL_ENDS,
    sample_size,
)
from relattr.report.tables.entry import VERDICTS, TableEntry
from relattr.report.tables.footnotes import NoteDetail, place_footnotes, shortened_notes
from relattr.report.tables.table import PaperTable


def table_to_latex(table: PaperTable, notes: NoteDetail = "short") -> str:
    """The table as in the paper, with measured numbers.

    With ``full`` notes its caption explains everything; otherwise it has the short caption.
    """
    if notes != "full":
        table = replace(shortened_notes(table, notes), caption=table.short_caption)
    warnings = "".join(f" {warning}." for warning in table.warnings)
    table = replace(table, caption=f"{table.caption}{warnings}")
    n = len(table.columns)
    parts = column_parts(n, MAX_COLUMNS if n <= MAX_COLUMNS else MAX_COLUMNS_WITH_INTERVAL)
    return HEADER + "".join(_table_part(table, list(part), k, len(parts)) for k, part in enumerate(parts))


def comparison_to_latex(table: PaperTable, notes: NoteDetail = "short") -> str:
    """Measured and published numbers, column after column, with difference, interval and verdict.

    Without any published number, the columns for those are left out.
    """
    table = shortened_notes(replace(table, rows=table.measured_rows), notes)
    footnotes = place_footnotes(table, at_rows=False)
    has_published = any(entry.published is not None for row in table.rows for entry in row.entries)
    span = 6 if has_published else 4
    body: list[str] = []
    for k, column in enumerate(table.columns):
        shown = [i for i, row in enumerate(table.rows) if _has_content(row.entries[k])]
        if not shown:
            continue
        size = sample_size(table, k)
        if body:
            body.append(r"\addlinespace[1.5ex]")
        title = rf"\textbf{{{escape_latex(column.label)}}}" + (rf"\enspace({escape_latex(size)})" if size else "")
        title += footnote_mark(footnotes.columns[k], footnotes)
        body.append(rf"\multicolumn{{{span}}}{{@{{}}l}}{{{title}}} \\*[0.3ex]")
        for i in shown:
            row = table.rows[i]
            mark = footnote_mark((*row.notes, *footnotes.entries[i][k]), footnotes)
            body.append(_comparison_row(row.label, row.entries[k], mark, has_published))
    if not body:
        body = [rf"\multicolumn{{{span}}}{{@{{}}l}}{{No measured or published numbers.}} \\"]
    caption = f"{table.title}: measured accuracy in per cent."
    head = r"Method & {Measured} & {95\,\% interval} & \\"
    numbers = " S[table-format=3.2] c l@{}"
    if has_published:
        caption = (
            f"{table.title}: measured and published accuracy in per cent; difference in percentage points. {VERDICTS}"
        )
        head = r"Method & {Published} & {Measured} & {95\,\% interval} & {Difference} & Verdict \\"
        numbers = " S[table-format=3.2] S[table-format=3.2] c S[table-format=+2.2,retain-explicit-plus] l@{}"
    caption += f" Settings: {', '.join(table.settings)}." if table.settings and notes != "full" else ""
    columns = label_column([f"xx{row.label}" for row in table.rows])  # they are indented
    columns += numbers
    return HEADER + table_environment(f"{table.name}-published", caption, columns, head, body, footnotes)


def _table_part(table: PaperTable, part: Sequence[int], number: int, n_parts: int) -> str:
    """A table environment of the columns in ``part``."""
    narrow = len(part) > MAX_COLUMNS_WITH_INTERVAL
    has_settings = table.has_settings
    footnotes = place_footnotes(table, part)
    body: list[str] = []
    section = "paper"
    for i, row in enumerate(table.rows):
        if row.section != section and body:
            body.append(r"\midrule")
            if row.section == "published":
                span = 1 + has_settings + (len(part) if narrow else 2 * len(part))
                body.append(rf"\multicolumn{{{span}}}{{@{{}}l}}{{\itshape Published}} \\")
        section = row.section
        cells = [escape_latex(row.short_name) + footnote_mark(footnotes.rows[i], footnotes)]
        cells += [escape_latex(row.setting)] if has_settings else []
        for place, k in enumerate(part):
            cells += _cells(row.entries[k], footnote_mark(footnotes.entries[i][place], footnotes), narrow)
        body.append(" & ".join(cells) + r" \\")
    labels = [
        escape_latex(table.columns[k].label) + footnote_mark(footnotes.columns[place], footnotes)
        for place, k in enumerate(part)
    ]
    columns = label_column([row.short_name for row in table.rows])
    columns += label_column([row.setting for row in table.rows], edge="") if has_settings else ""
    head = "Method" + (" & Setting" if has_settings else "")
    if narrow:
        columns += " S[table-format=2.2,table-align-text-after=false]" * len(part) + "@{}"
        head += "".join(rf" & {{\rotatebox{{60}}{{{label}}}}}" for label in labels) + r" \\"
    else:
        columns += r" S[table-format=3.2]@{\,}l" * len(part) + "@{}"
        head += "".join(rf" & \multicolumn{{2}}{{c}}{{{label}}}" for label in labels) + r" \\"
    caption = table.caption
    if narrow:  # it shows no intervals
        for sentence in (INTERVAL, INTERVAL_ENDS, f"{SHORT_INTERVAL} ", f"{SHORT_INTERVAL_ENDS} "):
            caption = caption.replace(sentence, "")
    label, caption = part_of(table.name, caption, number, n_parts)
    return table_environment(label, caption, columns, head, body, footnotes)


def _cells(entry: TableEntry, mark: str, narrow: bool) -> list[str]:
    """The cells of an entry: number and ±, or the number alone, with the marks of its notes."""
    value = entry.measured if entry.measured is not None else entry.published if entry.constant else None
    if value is None:
        return [rf"{{--{mark}}}"] if narrow else ["{--}", mark]
    number = f"{value:.2f}"
    if entry.best:
        number = rf"\bfseries {number}"
    if entry.constant and entry.measured is None:
        number = rf"\itshape {number}"
    if narrow:
        beside = (rf"\,{{\scriptsize {entry.part}}}" if entry.part else "") + mark
        return [rf"{number} {{\rlap{{{beside}}}}}" if beside else number]
    spread = entry.spread.replace("± ", r"$\pm$\,") if entry.measured is not None else ""
    spread = " ".join(text for text in (spread, entry.part) if text)
    return [number, (rf"{{\scriptsize {{{spread}}}}}" if spread else "") + mark]


def _comparison_row(label: str, entry: TableEntry, mark: str, has_published: bool) -> str:
    interval = "--" if entry.lower is None or entry.upper is None else f"{entry.lower:.2f}--{entry.upper:.2f}"
    interval += rf"\,{{\scriptsize {entry.part}}}" if entry.part else ""
    measured = "{--}" if entry.measured is None else (r"\bfseries " if entry.best else "") + f"{entry.measured:.2f}"
    status = "published only" if entry.status == "published" else entry.status
    cells = [
        rf"\hspace*{{1em}}{escape_latex(label)}",
        *(["{--}" if entry.published is None else f"{entry.published:.2f}"] if has_published else []),
        measured,
        interval,
        *(["{--}" if entry.difference is None else f"{entry.difference:+.2f}"] if has_published else []),
        (entry.verdict or ("" if entry.measured is not None else status)) + mark,
    ]
    return " & ".join(cells) + r" \\"


def _has_content(entry: TableEntry) -> bool:
    return entry.measured is not None or entry.published is not None or entry.status not in ("not run", "published")
