"""Tables as LaTeX: booktabs, numbers aligned by siunitx, notes below.

Two of each: as in the paper, and measured beside published. A table of many columns is set in parts,
one of many rows over several pages. The same table gives the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from relattr.errors import BadInput
from relattr.report.formats.escape import escape_latex
from relattr.report.tables.entry import VERDICTS, TableEntry
from relattr.report.tables.notes import GENERAL, Notes, notes_of
from relattr.report.tables.table import INTERVAL, PaperTable
from relattr.system.atomic import write_bytes

PREAMBLE = r"""% What the tables need, for the preamble of a paper.
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp,array,booktabs,longtable,graphicx}
\usepackage{siunitx}
\sisetup{detect-weight=true, detect-family=true, mode=text}
\setlength{\belowcaptionskip}{6pt}
"""
OPENING = "% Written by relattr tables. Needs what is in preamble.tex.\n"
WIDE = 6
"""Columns beside each other with their ±; up to NARROW without it."""
NARROW = 11
LONG = 46
"""Rows on one page."""
LABEL = 32
"""Letters of the longest name of a row; longer ones are set in several lines."""


def to_latex(table: PaperTable) -> str:
    """The table as in the paper, with measured numbers."""
    n = len(table.columns)
    size = n if n <= NARROW else WIDE
    parts = [range(k, min(k + size, n)) for k in range(0, n, size)] or [range(0)]
    made = [_paper(table, list(part), k, len(parts)) for k, part in enumerate(parts)]
    return f"{OPENING}{''.join(made)}"


def to_latex_beside(table: PaperTable) -> str:
    """Measured beside published, column after column, with difference, interval and verdict."""
    table = replace(table, lines=tuple(line for line in table.lines if line.block < 2))
    notes = notes_of(table, rows=False)
    body: list[str] = []
    for k, column in enumerate(table.columns):
        shown = [i for i, line in enumerate(table.lines) if _says(line.entries[k])]
        if not shown:
            continue
        size = table.size_of(k)
        if body:
            body.append(r"\addlinespace[1.5ex]")
        title = rf"\textbf{{{escape_latex(column.label)}}}" + (rf"\enspace({escape_latex(size)})" if size else "")
        title += mark(notes.heads[k], notes)
        body.append(rf"\multicolumn{{6}}{{@{{}}l}}{{{title}}} \\*[0.3ex]")
        for i in shown:
            line = table.lines[i]
            body.append(_beside(line.label, line.entries[k], mark((*line.texts, *notes.cells[i][k]), notes)))
    if not body:
        body = [r"\multicolumn{6}{@{}l}{Nothing was measured or published.} \\"]
    head = r"Method & {Published} & {Measured} & {95\,\% interval} & {Difference} & Verdict \\"
    caption = f"{table.title}: measured beside published. Accuracy in per cent; difference in points. {VERDICTS}"
    first = first_column([f"xx{line.label}" for line in table.lines])
    columns = first + " S[table-format=3.2] S[table-format=3.2] c S[table-format=+2.2,retain-explicit-plus] l@{}"
    return OPENING + floating(f"{table.name}-published", caption, columns, head, body, notes)


# ---------------------------------------------------------------------------------------------------- rows


def _paper(table: PaperTable, part: Sequence[int], number: int, of: int) -> str:
    narrow = len(part) > WIDE
    notes = notes_of(table, part)
    body: list[str] = []
    last = 0
    for i, line in enumerate(table.lines):
        if line.block != last and body:
            body.append(r"\midrule")
            if line.block == 2:
                span = 1 + (len(part) if narrow else 2 * len(part))
                body.append(rf"\multicolumn{{{span}}}{{@{{}}l}}{{\itshape Published}} \\")
        last = line.block
        cells = [escape_latex(line.label) + mark(notes.lines[i], notes)]
        for place, k in enumerate(part):
            cells += _cells(line.entries[k], mark(notes.cells[i][place], notes), narrow)
        body.append(" & ".join(cells) + r" \\")
    labels = [escape_latex(table.columns[k].label) + mark(notes.heads[place], notes) for place, k in enumerate(part)]
    first = first_column([line.label for line in table.lines])
    if narrow:
        columns = first + " S[table-format=2.2,table-align-text-after=false]" * len(part) + "@{}"
        head = "Method" + "".join(rf" & {{\rotatebox{{60}}{{{label}}}}}" for label in labels) + r" \\"
    else:
        columns = first + r" S[table-format=3.2]@{\,}l" * len(part) + "@{}"
        head = "Method" + "".join(rf" & \multicolumn{{2}}{{c}}{{{label}}}" for label in labels) + r" \\"
    caption = table.caption.replace(INTERVAL, "") if narrow else table.caption
    caption += f" Part {number + 1} of {of}." if of > 1 else ""
    label = table.name + (f"-part{number + 1}" if of > 1 else "")
    return floating(label, caption, columns, head, body, notes)


def _cells(entry: TableEntry, mark: str, narrow: bool) -> list[str]:
    """Number and ± (or number alone), with the marks of the notes."""
    value = entry.measured if entry.measured is not None else entry.published if entry.constant else None
    if value is None:
        return [rf"{{--{mark}}}"] if narrow else ["{--}", mark]
    number = f"{value:.2f}"
    if entry.best:
        number = rf"\bfseries {number}"
    if entry.constant and entry.measured is None:
        number = rf"\itshape {number}"
    if narrow:
        return [rf"{number} {{\rlap{{{mark}}}}}" if mark else number]
    spread = rf"{{\scriptsize$\pm$\,{entry.half:.1f}}}" if entry.half is not None and entry.measured is not None else ""
    return [number, spread + mark]


def _beside(label: str, entry: TableEntry, mark: str) -> str:
    difference = entry.difference
    interval = "" if entry.low is None or entry.high is None else f"{entry.low:.2f}--{entry.high:.2f}"
    measured = "{--}" if entry.measured is None else (r"\bfseries " if entry.best else "") + f"{entry.measured:.2f}"
    words = entry.verdict or ("" if entry.measured is not None else _ended(entry))
    cells = [
        rf"\hspace*{{1em}}{escape_latex(label)}",
        "{--}" if entry.published is None else f"{entry.published:.2f}",
        measured,
        interval or "--",
        "{--}" if difference is None else f"{difference:+.2f}",
        f"{words}{mark}",
    ]
    return " & ".join(cells) + r" \\"


def _ended(entry: TableEntry) -> str:
    return "published only" if entry.status == "published" else entry.status


def _says(entry: TableEntry) -> bool:
    return entry.measured is not None or entry.published is not None or entry.status not in ("not run", "published")


def mark(texts: Sequence[str], notes: Notes) -> str:
    found = ",".join(notes.marks(texts))
    return rf"\textsuperscript{{\normalfont {found}}}" if found else ""


def first_column(labels: Sequence[str]) -> str:
    """The column of the rows' names: as wide as they are, or in several lines where one is long."""
    if max(map(len, labels), default=0) <= LABEL:
        return "@{}l"
    return r"@{}>{\raggedright\arraybackslash\hangindent=1.5em\hangafter=1}p{0.29\linewidth}"


# ---------------------------------------------------------------------------------------------------- around them


def floating(label: str, caption: str, columns: str, head: str, body: Sequence[str], notes: Notes) -> str:
    """A table environment, or a longtable where the rows would not fit one page."""
    caption = escape_latex(caption)
    rows = "\n".join(f"    {row}" for row in body)
    texts = [rf"{GENERAL}: {escape_latex('; '.join(notes.general))}."] if notes.general else []
    texts += [rf"\textsuperscript{{{mark}}}~{escape_latex(text)}." for text, mark in notes.letters.items()]
    joined = r" \quad ".join(texts)
    below = rf"\par\medskip{{\footnotesize\raggedright {joined}\par}}" if texts else ""
    if len(body) > LONG:
        return rf"""
{{\small\setlength\tabcolsep{{4pt}}
\setlength\LTleft{{0pt plus 1fill}}\setlength\LTright{{0pt plus 1fill}}\setlength\LTcapwidth{{\linewidth}}
\begin{{longtable}}{{{columns}}}
    \caption{{{caption}}}\label{{tab:{label}}}\\
    \toprule
    {head}
    \midrule
    \endfirsthead
    \toprule
    {head}
    \midrule
    \endhead
    \bottomrule
    \endfoot
{rows}
\end{{longtable}}
{below}}}
"""
    return rf"""
\begin{{table}}[tbp]
  \centering
  \caption{{{caption}}}
  \label{{tab:{label}}}
  \small\setlength\tabcolsep{{4pt}}
  \resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{%
  \begin{{tabular}}{{{columns}}}
    \toprule
    {head}
    \midrule
{rows}
    \bottomrule
  \end{{tabular}}}}
  {below}
\end{{table}}
"""


# ---------------------------------------------------------------------------------------------------- numbers in prose


def to_macros(tables: Sequence[PaperTable], others: Sequence[str] = ()) -> str:
    r"""``\relattr{table3/viralnet/osr/measured}``: every number of the tables, by name.

    ``others``: lines that this function wrote for other tables.
    """
    lines = [
        "% Written by relattr tables. \\relattr{<table>/<method>/<column>/<what>} is a number of a table; <what> is",
        "% measured, low, high, half (of the interval), published, difference, n or verdict.",
        r"\makeatletter",
        r"\providecommand{\relattr}[1]{\ifcsname relattr@#1\endcsname\csname relattr@#1\endcsname\else"
        r"\PackageError{relattr}{No number is called #1}{Look for it in macros.tex.}\textbf{??}\fi}",
        r"\providecommand{\relattrnumber}[2]{\expandafter\def\csname relattr@#1\endcsname{#2}}",
    ]
    for table in tables:
        for each in (table, *table.behind):
            for line in each.lines:
                if line.block == 2:
                    continue
                for head, entry in zip(each.columns, line.entries, strict=True):
                    for what, value in _numbers(entry):
                        lines.append(rf"\relattrnumber{{{each.name}/{line.key}/{head.key}/{what}}}{{{value}}}")
    return "\n".join([*lines, *others, r"\makeatother", ""])


def table_of(macro: str) -> str:
    """The table whose number a line of `to_macros` holds; empty for other lines."""
    found = re.match(r"\\relattrnumber\{([^/{}]+)/[^{}]*\}\{.*\}$", macro)
    return found[1] if found else ""


def _numbers(entry: TableEntry) -> list[tuple[str, str]]:
    found = [
        (what, f"{value:.2f}")
        for what, value in (
            ("measured", entry.measured),
            ("low", entry.low),
            ("high", entry.high),
            ("half", entry.half),
            ("published", entry.published),
        )
        if value is not None
    ]
    if entry.difference is not None:
        found.append(("difference", f"{entry.difference:+.2f}".replace("-", r"\ensuremath{-}")))
    if entry.measured is not None:
        found.append(("n", f"{entry.n_ordered:,}".replace(",", r"\,")))
    if entry.verdict:
        found.append(("verdict", entry.verdict))
    return found


def to_document(files: Sequence[str]) -> str:
    """A document of all tables, for looking at them."""
    inputs = "\n\\clearpage\n".join(rf"\input{{{name}}}" for name in files)
    return (
        "\\documentclass[10pt,a4paper]{article}\n\\usepackage[margin=22mm]{geometry}\n\\usepackage{lmodern}\n"
        "\\input{preamble.tex}\n\\ifdefined\\pdfsuppressptexinfo\\pdfsuppressptexinfo=-1\\fi\n"
        "\\ifdefined\\pdftrailerid\\pdftrailerid{}\\fi\n\\pagestyle{plain}\n\\makeatletter\\setlength{\\@fptop}{0pt}\\makeatother\n\\begin{document}\n"
        f"\\input{{macros.tex}}\n{inputs}\n\\end{{document}}\n"
    )


def compile_pdf(folder: Path, name: str) -> Path | None:
    """``<name>.tex`` in ``folder`` as a PDF beside it, the same bytes each time; None where no pdflatex is installed.

    Raises `BadInput` with LaTeX's own words where it fails.
    """
    program = shutil.which("pdflatex")
    if program is None:
        return None
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "1000"}
    with tempfile.TemporaryDirectory() as work:
        for _ in range(3):
            done = subprocess.run(
                [
                    program,
                    "-interaction=nonstopmode",
                    "-halt-on-error",
                    "-no-shell-escape",
                    f"-output-directory={work}",
                    f"{name}.tex",
                ],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=600,
            )
            if done.returncode:
                what = [line for line in done.stdout.splitlines() if line.startswith(("!", "l."))]
                raise BadInput(
                    f"the tables are written, but pdflatex could not compile {folder / name}.tex: "
                    f"{' '.join(what) or done.stdout[-400:]}"
                )
            if "Rerun LaTeX" not in done.stdout:  # long tables ask for it: the next run knows their widths
                break
        write_bytes(folder / f"{name}.pdf", (Path(work) / f"{name}.pdf").read_bytes())
    return folder / f"{name}.pdf"
