r"""The numbers of tables as LaTeX macros, to be used in prose: ``\relattr{table3/viralnet/osr/measured}``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relattr.report.tables.entry import TableEntry
from relattr.report.tables.table import PaperTable


def macros_to_latex(tables: Sequence[PaperTable], other_lines: Sequence[str] = ()) -> str:
    """The content of ``macros.tex``: every number of the tables, by name.

    ``other_lines`` are definitions that this function wrote for other tables. Lines end in ``%``: without it, each
    would be a space where the file is input within text.
    """
    lines = [
        "% Written by relattr tables. \\relattr{<table>/<method>/<column>/<what>} is a number of a table; <what> is",
        "% measured, low, high, half (half-width of the interval), published, difference, n, verdict, spearman,",
        "% spearman-low or spearman-high (ends of its interval).",
        r"\makeatletter",
        r"\providecommand{\relattr}[1]{\ifcsname relattr@#1\endcsname\csname relattr@#1\endcsname\else"
        r"\PackageError{relattr}{No number is called #1}{See macros.tex for the names.}\textbf{??}\fi}",
        r"\providecommand{\relattrnumber}[2]{\expandafter\def\csname relattr@#1\endcsname{#2}}",
    ]
    for table in (each for top in tables for each in top.all_tables):
        for row in table.measured_rows:
            for column, entry in zip(table.columns, row.entries, strict=True):
                for what, value in _values(entry):
                    lines.append(rf"\relattrnumber{{{table.name}/{row.key}/{column.key}/{what}}}{{{value}}}")
    code = [*lines, *other_lines, r"\makeatother"]
    return "".join(f"{line}\n" if line.endswith("%") or line.startswith("%") else f"{line}%\n" for line in code)


def table_of_macro(line: str) -> str:
    """The name of the table whose number a line of ``macros.tex`` defines; empty for other lines."""
    match = re.match(r"\\relattrnumber\{([^/{}]+)/[^{}]*\}\{.*\}%?$", line)
    return match[1] if match else ""


def _values(entry: TableEntry) -> list[tuple[str, str]]:
    numbers = {
        "measured": entry.measured,
        "low": entry.lower,
        "high": entry.upper,
        "half": entry.half_width,
        "published": entry.published,
    }
    values = [(what, f"{value:.2f}") for what, value in numbers.items() if value is not None]
    if entry.difference is not None:
        values.append(("difference", _signed(f"{entry.difference:+.2f}")))
    if entry.measured is not None:
        values.append(("n", f"{entry.n_ordered:,}".replace(",", r"\,")))
    correlations = {
        "spearman": entry.spearman,
        "spearman-low": entry.spearman_lower,
        "spearman-high": entry.spearman_upper,
    }
    values += [(what, _signed(f"{value:.3f}")) for what, value in correlations.items() if value is not None]
    if entry.verdict:
        values.append(("verdict", entry.verdict))
    return values


def _signed(number: str) -> str:
    return number.replace("-", r"\ensuremath{-}")
