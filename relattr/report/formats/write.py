"""A paper table as CSV, Markdown and plain text, and all its files. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from relattr.errors import BadInput
from relattr.report.formats import latex, write_ablation
from relattr.report.formats.columns import aligned, full, guarded, pipes
from relattr.report.formats.escape import escape_latex, escape_markdown
from relattr.report.formats.latex_ranks import to_latex_ranks
from relattr.report.tables.entry import VERDICTS, Head, TableEntry
from relattr.report.tables.notes import GENERAL, Notes, notes_of
from relattr.report.tables.table import BOLD, PaperTable
from relattr.system.atomic import write_text

__all__ = ["escape_latex", "to_csv", "to_latex", "to_markdown", "to_text", "write"]

to_latex = latex.to_latex


def to_markdown(table: PaperTable) -> str:
    """A heading, the caption, the table as in the paper, the notes; then measured beside published."""
    notes = notes_of(table)
    head = ["Method", *(f"{escape_markdown(c.label)}{_letters(h, notes)}" for c, h in _heads(table, notes))]
    rows = [
        [
            escape_markdown(line.label) + _letters(notes.lines[i], notes),
            *(_markdown(e, _letters(own, notes)) for e, own in zip(line.entries, notes.cells[i], strict=True)),
        ]
        for i, line in enumerate(table.lines)
    ]
    lines = [f"# {escape_markdown(table.title)}", "", escape_markdown(table.caption), ""]
    lines += pipes(head, rows)
    lines += _listed(notes, escape_markdown, "- ")
    beside = []
    for line in table.lines:
        for column, e in zip(table.columns, line.entries, strict=True):
            if e.published is not None and e.measured is not None:
                interval = "–" if e.low is None or e.high is None else f"{e.low:.2f} – {e.high:.2f}"
                difference = 0.0 if e.difference is None else e.difference
                beside.append(
                    [
                        escape_markdown(line.label),
                        escape_markdown(column.label),
                        f"{e.published:.2f}",
                        f"{e.measured:.2f}",
                        interval,
                        f"{difference:+.2f}",
                        f"{e.verdict}{_letters(e.texts, notes)}",
                    ]
                )
    if beside:
        lines += ["", "## Measured beside published", "", escape_markdown(VERDICTS), ""]
        names = ["Method", "Column", "Published", "Measured", "95 % interval", "Difference", "Verdict"]
        lines += pipes(names, beside, left=(0, 1, 6))
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
    return ["", "## Rank correlation", "", text, "", *pipes(head, rows)]


def _markdown(entry: TableEntry, letters: str) -> str:
    number = _shown(entry)
    if number is None:
        return f"–{letters}"
    text = f"**{number}**" if entry.best else f"*{number}*" if entry.measured is None else number
    spread = f" ± {entry.half:.1f}" if entry.half is not None else ""
    return f"{text}{spread}{letters}"


CSV_HEAD = [
    "table",
    "row",
    "method",
    "column",
    "published_percent",
    "measured_percent",
    "low_percent",
    "high_percent",
    "difference_points",
    "verdict",
    "best",
    "p_best",
    "n_ordered",
    "n_images",
    "n_attributes",
    "n_seeds",
    "seed_spread_points",
    "error_images_points",
    "error_seeds_points",
    "spearman",
    "seconds",
    "status",
    "constant",
    "reliability",
    "notes",
]


def to_csv(table: PaperTable) -> str:
    """One line per row and column, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for line in table.lines:
        for column, e in zip(table.columns, line.entries, strict=True):
            writer.writerow(
                [
                    table.name,
                    guarded(line.label),
                    line.key,
                    guarded(column.label),
                    *map(full, (e.published, e.measured)),
                    *map(full, (e.low, e.high, e.difference)),
                    e.verdict,
                    "yes" if e.best else "",
                    full(e.p_best),
                    e.n_ordered or "",
                    e.n_images or "",
                    e.n_attributes or "",
                    e.n_seeds or "",
                    full(e.seed_spread),
                    full(e.error_images),
                    full(e.error_seeds),
                    full(e.spearman),
                    "" if e.seconds is None else f"{e.seconds:.3f}",
                    e.status,
                    "yes" if e.constant else "",
                    e.reliability,
                    guarded("; ".join((*line.texts, *e.texts))),
                ]
            )
    return out.getvalue()


def to_text(table: PaperTable) -> str:
    """The table for a terminal, its columns aligned; a star where others have bold."""
    notes = notes_of(table)
    known = [any(line.entries[k].published is not None for line in table.lines) for k in range(len(table.columns))]
    head, below = [""], ["method"]
    for (column, texts), published in zip(_heads(table, notes), known, strict=True):
        head += [column.label] * published + [column.label + _letters(texts, notes)]
        below += ["published"] * published + ["measured"]
    body = []
    for i, line in enumerate(table.lines):
        row = [line.label + _letters(notes.lines[i], notes)]
        for e, own, published in zip(line.entries, notes.cells[i], known, strict=True):
            row += [_number(e.published, "-")] * published + [_measured(e) + _letters(own, notes)]
        body.append(row)
    lines = [table.title, "", *aligned([head, below, *body], ruled=2)]
    lines += [*_listed(notes, str, ""), "", table.caption.replace(BOLD, BOLD.replace("Bold", "Star"))]
    return "\n".join(lines) + "\n"


def write(table: PaperTable, folder: Path) -> list[Path]:
    """Write every table of a benchmark into ``folder``; returns the paths.

    ``<name>.tex`` as in the paper, ``<name>-published.tex`` beside the published numbers, ``.csv`` and
    ``.md``; the same for the tables behind its columns; ``<name>-ranks.tex``, the critical-difference diagram; and
    where methods are compared with one of them, ``<name>-against-<key>`` as ``.tex``, ``.csv`` and ``.md``.
    """
    made = []
    for each in (table, *table.behind):
        for suffix, content in (
            (".tex", latex.to_latex(each)),
            ("-published.tex", latex.to_latex_beside(each)),
            (".csv", to_csv(each)),
            (".md", to_markdown(each)),
        ):
            path = folder / f"{each.name}{suffix}"
            write_text(path, content)
            made.append(path)
        if each.gains is not None:
            made += write_ablation.write(each.gains, folder)
    diagram = to_latex_ranks(table.name, table.ranks) if table.ranks is not None else None
    path = folder / f"{table.name}-ranks.tex"
    if diagram is not None:
        write_text(path, diagram)
        made.append(path)
    else:
        path.unlink(missing_ok=True)
    return made


def write_all(tables: Sequence[PaperTable], folder: Path) -> list[Path]:
    """Write several benchmarks' tables, ``macros.tex``, ``preamble.tex``, ``tables.tex``, and its PDF if it can be.

    ``macros.tex`` keeps the numbers of tables that were written into this folder before. Raises `BadInput` where two
    tables would have one file, before anything is written, or where LaTeX fails, when all else is.
    """
    names = [name for table in tables for name in _stems(table)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"two tables would be written to files called {twice[0]}: rename one of the benchmarks, or a column"
        )
    made = [path for table in tables for path in write(table, folder)]
    inputs = [path.name for path in made if path.suffix == ".tex"]
    for name, content in (
        ("macros.tex", latex.to_macros(tables, _macros_before(tables, folder))),
        ("preamble.tex", latex.PREAMBLE),
        ("tables.tex", latex.to_document(inputs)),
    ):
        write_text(folder / name, content)
        made.append(folder / name)
    (folder / "tables.pdf").unlink(missing_ok=True)  # of other tables, where none is made now
    pdf = latex.compile_pdf(folder, "tables")
    return made if pdf is None else [*made, pdf]


def _stems(table: PaperTable) -> list[str]:
    """What the files of a benchmark's tables are called, each once."""
    found = [f"{table.name}-ranks"] if table.ranks is not None else []
    for each in (table, *table.behind):
        found += [each.name, f"{each.name}-published", *([each.gains.name] if each.gains is not None else [])]
    return found


def _macros_before(tables: Sequence[PaperTable], folder: Path) -> list[str]:
    """The lines of ``macros.tex`` about tables that are in this folder and were not made now."""
    now = {each.name for table in tables for each in (table, *table.behind)}
    try:
        lines = (folder / "macros.tex").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    named = ((latex.table_of(line), line) for line in lines)
    return [line for name, line in named if name and name not in now and (folder / f"{name}.tex").is_file()]


def _shown(entry: TableEntry) -> str | None:
    if entry.measured is not None:
        return f"{entry.measured:.2f}"
    return f"{entry.published:.2f}" if entry.constant and entry.published is not None else None


def _measured(entry: TableEntry) -> str:
    if entry.measured is None:
        return "–"
    spread = f" ± {entry.half:.1f}" if entry.half is not None else ""
    return f"{'*' if entry.best else ''}{entry.measured:.2f}{spread}"


def _heads(table: PaperTable, notes: Notes) -> Iterator[tuple[Head, tuple[str, ...]]]:
    return zip(table.columns, notes.heads, strict=True)


def _letters(texts: Sequence[str], notes: Notes) -> str:
    found = ",".join(notes.marks(texts))
    return f" ({found})" if found else ""


def _listed(notes: Notes, escape: Callable[[str], str], bullet: str) -> list[str]:
    """The notes in words, below a table."""
    lines = [f"{bullet}{GENERAL}: {escape('; '.join(notes.general))}"] if notes.general else []
    lines += [f"{bullet}({mark}) {escape(text)}" for text, mark in notes.letters.items()]
    return ["", *lines] if lines else []


def _number(value: float | None, absent: str) -> str:
    return absent if value is None else f"{value:.2f}"
