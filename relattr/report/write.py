"""A paper table as LaTeX, CSV, Markdown and plain text. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import jinja2

from relattr.atomic import write_text
from relattr.report.model import Entry, PaperTable

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; control characters become spaces."""
    return "".join(_LATEX.get(c, c if c.isprintable() else " ") for c in text)


def to_latex(table: PaperTable) -> str:
    """A ``table`` environment in booktabs style."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("relattr.report", "."),
        block_start_string=r"\BLOCK{", block_end_string="}",
        variable_start_string=r"\VAR{", variable_end_string="}",
        comment_start_string=r"\#{", comment_end_string="}",
        trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False,  # noqa: S701 (it is not HTML)
    )  # fmt: skip
    lines = []
    for k, line in enumerate(table.lines):
        entries = [
            {"published": _number(e.published, "--"), "measured": _number(e.measured, "--"), "marks": ",".join(e.marks)}
            for e in line.entries
        ]
        rule = k > 0 and table.lines[k - 1].in_paper and not line.in_paper
        lines.append({"label": escape_latex(line.label), "entries": entries, "rule": rule})
    return environment.get_template("table.tex.jinja").render(
        name=table.name,
        caption=escape_latex(table.caption),
        columns=[escape_latex(column.label) for column in table.columns],
        lines=lines,
        notes=[(mark, escape_latex(text)) for mark, text in table.notes],
    )


def to_markdown(table: PaperTable) -> str:
    """A heading, the caption, a pipe table and the notes."""
    head = ["Method"] + [f"{c.label} {what}" for c in table.columns for what in ("published", "measured")]
    body = [
        [line.label, *(text for e in line.entries for text in (_number(e.published, "–"), _marked(e)))]
        for line in table.lines
    ]
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    lines = [f"# {_escape_markdown(table.title)}", "", _escape_markdown(table.caption), ""]
    lines += [
        "| " + " | ".join(cell if r == 1 else _escape_markdown(cell) for cell in row) + " |"
        for r, row in enumerate(rows)
    ]
    if table.notes:
        lines += ["", *(f"- ({mark}) {_escape_markdown(text)}" for mark, text in table.notes)]
    return "\n".join(lines) + "\n"


def to_csv(table: PaperTable) -> str:
    """One line per row and column, and one per attribute behind it, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["table", "row", "column", "attribute", "published_percent", "measured_percent", "n_ordered", "notes"]
    )
    texts = dict(table.notes)
    for line in table.lines:
        for column, entry in zip(table.columns, line.entries, strict=True):
            notes = "; ".join(texts[mark] for mark in entry.marks)
            whole = [_full(entry.published), _full(entry.measured), entry.n_ordered or "", notes]
            writer.writerow([table.name, line.label, column.label, "mean", *whole])
            for attribute, accuracy in entry.attributes.items():
                writer.writerow([table.name, line.label, column.label, attribute, "", _full(accuracy), "", ""])
    return out.getvalue()


def to_text(table: PaperTable) -> str:
    """The table for a terminal, its columns aligned."""
    head = ["", *(c.label for c in table.columns for _ in range(2))]
    below = ["method", *(what for _ in table.columns for what in ("published", "measured"))]
    body = [
        [line.label, *(text for e in line.entries for text in (_number(e.published, "-"), _marked(e)))]
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
    lines += ["", *(f"({mark}) {text}" for mark, text in table.notes), "", table.caption]
    return "\n".join(lines) + "\n"


def write(table: PaperTable, folder: Path) -> list[Path]:
    """Write ``<name>.tex``, ``.csv`` and ``.md`` into ``folder``; returns their paths."""
    made = []
    for suffix, content in ((".tex", to_latex(table)), (".csv", to_csv(table)), (".md", to_markdown(table))):
        path = folder / f"{table.name}{suffix}"
        write_text(path, content)
        made.append(path)
    return made


def _number(value: float | None, absent: str) -> str:
    return absent if value is None else f"{value:.2f}"


def _full(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _marked(entry: Entry) -> str:
    number = _number(entry.measured, "–")
    return f"{number} ({','.join(entry.marks)})" if entry.marks else number


def _escape_markdown(text: str) -> str:
    for character in "\\`*_{}[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
