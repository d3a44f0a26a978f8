r"""The LaTeX around the rows of a table: ``table*`` or ``longtable``, caption, notes; and what all tables share."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from relattr.report.formats.escape import escape_latex
from relattr.report.tables.footnotes import GENERAL, Footnotes

HEADER = "% Written by relattr tables. Needs the packages loaded in preamble.tex.\n"
"""First line of every file."""
MAX_COLUMNS_WITH_INTERVAL = 6
"""Columns side by side with their ±; up to `MAX_COLUMNS` without."""
MAX_COLUMNS = 11
MAX_LINES = 46
"""Lines of rows that fit on one page."""
MANY_ROWS = 100
"""Rows above which numbers are aligned at the right, not at the decimal point: siunitx takes 1 ms for each number."""
LINE = 30
"""Characters of a broken label on one line, about."""
MAX_LABEL = 36
"""Characters of a row's label on one line; a longer label is broken."""


def footnote_mark(notes: Sequence[str], footnotes: Footnotes) -> str:
    """The superscript letters of notes; empty without any."""
    marks = ",".join(footnotes.marks(notes))
    return rf"\textsuperscript{{\normalfont {marks}}}" if marks else ""


def label_column(labels: Sequence[str], edge: str = "@{}") -> str:
    """The column type for the labels of rows: natural width, or a paragraph if a label is long.

    ``edge`` is what is to the left of it: by default nothing, as for the first column.
    """
    if max(map(len, labels), default=0) <= MAX_LABEL:
        return f"{edge}l"
    return edge + r">{\raggedright\arraybackslash\hangindent=1.5em\hangafter=1}p{0.29\linewidth}"


def _n_lines(row: str, columns: str) -> int:
    """About how many lines a row takes: its label may be broken if the column is a paragraph."""
    label = re.sub(r"\\[a-z]+\*?|[{}\\]", "", row.split(" & ")[0])
    return max(1, -(-len(label) // LINE)) if "p{" in columns else 1


def column_parts(n: int, most: int) -> list[range]:
    """Divide ``n`` columns into the fewest parts of at most ``most``, of which no two differ by more than one column.

    The larger parts come first. Without columns there is one part without any.
    """
    n_parts = max(1, -(-n // most))
    size, n_larger = divmod(n, n_parts)
    starts = [k * size + min(k, n_larger) for k in range(n_parts + 1)]
    return [range(start, end) for start, end in itertools.pairwise(starts)]


def part_of(name: str, caption: str, part: int, n_parts: int) -> tuple[str, str]:
    """Label and caption of a table set in ``n_parts`` parts; unchanged for a single part."""
    if n_parts == 1:
        return name, caption
    return f"{name}-part{part + 1}", f"{caption} Part {part + 1} of {n_parts}."


def table_environment(
    label: str, caption: str, columns: str, head: str, body: Sequence[str], footnotes: Footnotes
) -> str:
    """A ``table*``, which has the width of the page in two columns too, or a ``longtable`` if a page is too short.

    ``columns`` are column types, ``head`` and ``body`` LaTeX rows with their line ends; ``caption`` is plain text. A
    ``longtable`` of a document in two columns is set in one, on pages of its own.
    """
    caption = escape_latex(caption)
    rows = "\n".join(f"    {row}" for row in body)
    notes = [rf"{GENERAL}: {escape_latex('; '.join(footnotes.general))}."] if footnotes.general else []
    notes += [rf"\textsuperscript{{{letter}}}~{escape_latex(note)}." for note, letter in footnotes.letters.items()]
    joined = r" \quad ".join(notes)
    below = rf"\par\medskip{{\footnotesize\raggedright {joined}\par}}" if notes else ""
    if len(body) > MANY_ROWS:
        columns = re.sub(r"\bS\[[^]]*\]", "r", columns)
    if sum(_n_lines(row, columns) for row in body) > MAX_LINES:
        return rf"""
\providecommand\relattronecolumn{{}}\providecommand\relattrbackfromonecolumn{{}}% preamble.tex has the definitions
\relattronecolumn
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
\relattrbackfromonecolumn
"""
    return rf"""
\begin{{table*}}[tbp]
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
\end{{table*}}
"""
