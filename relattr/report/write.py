"""A paper table as CSV, Markdown and plain text, and all its files. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from relattr.atomic import write_text
from relattr.report import latex
from relattr.report.escape import escape_latex, escape_markdown
from relattr.report.table import VERDICTS, Entry, Line, PaperTable, marks

__all__ = ["escape_latex", "to_csv", "to_latex", "to_markdown", "to_text", "write"]

to_latex = latex.to_latex


def to_markdown(table: PaperTable) -> str:
    """A heading, the caption, the table as in the paper, the notes; then measured beside published."""
    notes = table.notes
    head = ["Method", *(c.label for c in table.columns)]
    rows = [
        [escape_markdown(line.label) + _letters(line, notes), *(_markdown(e, notes) for e in line.entries)]
        for line in table.lines
    ]
    lines = [f"# {escape_markdown(table.title)}", "", escape_markdown(table.caption), ""]
    lines += _pipes([escape_markdown(h) for h in head], rows)
    if notes:
        lines += ["", *(f"- ({mark}) {escape_markdown(text)}" for text, mark in notes.items())]
    beside = []
    for line in table.lines:
        for column, e in zip(table.columns, line.entries, strict=True):
            if e.published is not None and e.measured is not None:
                interval = "–" if e.low is None or e.high is None else f"{e.low:.2f} – {e.high:.2f}"
                difference = 0.0 if e.difference is None else e.difference
                beside.append(
                    [
                        escape_markdown(line.label), escape_markdown(column.label), f"{e.published:.2f}",
                        f"{e.measured:.2f}", interval, f"{difference:+.2f}", f"{e.verdict}{_letters(e, notes)}",
                    ]
                )  # fmt: skip
    if beside:
        lines += ["", "## Measured beside published", "", escape_markdown(VERDICTS), ""]
        names = ["Method", "Column", "Published", "Measured", "95 % interval", "Difference", "Verdict"]
        lines += _pipes(names, beside, left=(0, 1, 6))
    lines += _correlations(table)
    return "\n".join(lines) + "\n"


def _correlations(table: PaperTable) -> list[str]:
    """Spearman's rank correlations as a table of their own; nothing where no column has any."""
    which = [k for k in range(len(table.columns)) if any(line.entries[k].spearman is not None for line in table.lines)]
    if not which:
        return []
    rows = []
    for line in table.lines:
        values = [line.entries[k].spearman for k in which]
        if any(value is not None for value in values):
            cells = ["–" if value is None else f"{value:.3f}" for value in values]
            rows.append([escape_markdown(line.label), *cells])
    text = "Spearman's rank correlation of strengths with the scores of the test images; ties share their mean rank."
    head = ["Method", *(escape_markdown(table.columns[k].label) for k in which)]
    return ["", "## Rank correlation", "", text, "", *_pipes(head, rows)]


def _pipes(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    rule = ["---" if k in left else "---:" for k in range(len(head))]
    return ["| " + " | ".join(cells) + " |" for cells in [head, rule, *rows]]


def _markdown(entry: Entry, notes: dict[str, str]) -> str:
    number = _shown(entry)
    if number is None:
        return f"–{_letters(entry, notes)}"
    text = f"**{number}**" if entry.best else f"*{number}*" if entry.measured is None else number
    spread = f" ± {entry.half:.1f}" if entry.half is not None else ""
    return f"{text}{spread}{_letters(entry, notes)}"


CSV_HEAD = [
    "table", "row", "method", "column", "published_percent", "measured_percent", "low_percent", "high_percent",
    "difference_points", "verdict", "best", "p_best", "n_ordered", "n_images", "n_attributes", "n_seeds",
    "seed_spread_points", "spearman", "seconds", "status", "constant", "reliability", "notes",
]  # fmt: skip


def to_csv(table: PaperTable) -> str:
    """One line per row and column, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for line in table.lines:
        for column, e in zip(table.columns, line.entries, strict=True):
            writer.writerow(
                [
                    table.name, _cell(line.label), line.key, _cell(column.label),
                    *map(_full, (e.published, e.measured)),
                    *map(_full, (e.low, e.high, e.difference)), e.verdict, "yes" if e.best else "", _full(e.p_best),
                    e.n_ordered or "", e.n_images or "", e.n_attributes or "", e.n_seeds or "", _full(e.seed_spread),
                    _full(e.spearman), "" if e.seconds is None else f"{e.seconds:.3f}", e.status,
                    "yes" if e.constant else "", e.reliability, _cell("; ".join((*line.texts, *e.texts))),
                ]
            )  # fmt: skip
    return out.getvalue()


def to_text(table: PaperTable) -> str:
    """The table for a terminal, its columns aligned."""
    notes = table.notes
    head = ["", *(c.label for c in table.columns for _ in range(2))]
    below = ["method", *(what for _ in table.columns for what in ("published", "measured"))]
    body = [
        [line.label, *(t for e in line.entries for t in (_number(e.published, "-"), _measured(e) + _letters(e, notes)))]
        for line in table.lines
    ]
    widths = [max(len(row[k]) for row in [head, below, *body]) for k in range(len(below))]
    lines = [table.title, ""]
    for row in [head, below, ["-" * w for w in widths], *body]:
        lines.append(
            "  ".join(
                c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )
    lines += ["", *(f"({mark}) {text}" for text, mark in notes.items()), "", table.caption]
    return "\n".join(lines) + "\n"


def write(table: PaperTable, folder: Path) -> list[Path]:
    """Write every table of a benchmark into ``folder``; returns the paths.

    ``<name>.tex`` as in the paper, ``<name>-published.tex`` beside the published numbers, ``.csv`` and
    ``.md``; and the same for the tables behind its columns.
    """
    made = []
    for each in (table, *table.behind):
        for suffix, content in (
            (".tex", latex.to_latex(each)), ("-published.tex", latex.to_latex_beside(each)),
            (".csv", to_csv(each)), (".md", to_markdown(each)),
        ):  # fmt: skip
            path = folder / f"{each.name}{suffix}"
            write_text(path, content)
            made.append(path)
    return made


def write_all(tables: Sequence[PaperTable], folder: Path) -> list[Path]:
    """Write several benchmarks' tables, ``macros.tex``, ``preamble.tex``, ``tables.tex``, and its PDF if it can be."""
    made = [path for table in tables for path in write(table, folder)]
    inputs = [path.name for path in made if path.suffix == ".tex"]
    for name, content in (
        ("macros.tex", latex.to_macros(tables)),
        ("preamble.tex", latex.PREAMBLE),
        ("tables.tex", latex.to_document(inputs)),
    ):
        write_text(folder / name, content)
        made.append(folder / name)
    pdf = latex.compile_pdf(folder, "tables")
    return made if pdf is None else [*made, pdf]


def _shown(entry: Entry) -> str | None:
    if entry.measured is not None:
        return f"{entry.measured:.2f}"
    return f"{entry.published:.2f}" if entry.constant and entry.published is not None else None


def _measured(entry: Entry) -> str:
    if entry.measured is None:
        return "–"
    return f"{entry.measured:.2f}" + (f" ± {entry.half:.1f}" if entry.half is not None else "")


def _letters(entry: Entry | Line, notes: dict[str, str]) -> str:
    found = marks(entry, notes)
    return f" ({found})" if found else ""


def _number(value: float | None, absent: str) -> str:
    return absent if value is None else f"{value:.2f}"


def _full(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
