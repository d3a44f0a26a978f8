"""The critical-difference diagram (Demsar, JMLR 2006) as LaTeX; the picture environment needs no package."""

from __future__ import annotations

from relattr.report.formats.escape import escape_latex
from relattr.report.formats.latex.environments import HEADER
from relattr.report.tables.captions import MAX_RANKED, ranks_caption
from relattr.statistics.ranks import Ranks

AXIS_START, AXIS_END, WIDTH = 57.0, 103.0, 160.0
"""Ends of the axis and width of the figure, in millimetres."""


def ranks_to_latex(name: str, ranks: Ranks) -> str | None:
    """A figure environment; None for more than `MAX_RANKED` methods."""
    k = len(ranks.methods)
    if k > MAX_RANKED:
        return None
    pitch = 8.0 if max(map(len, ranks.methods)) > 34 else 5.0
    half = (k + 1) // 2
    axis = pitch * half + 3.0 * len(ranks.groups) + 5.0
    height = axis + 14.0

    def place(rank: float) -> float:
        return AXIS_START + (AXIS_END - AXIS_START) * (rank - 1) / (max(k, 2) - 1)

    body = [r"\linethickness{0.4pt}", _line(AXIS_START, axis, AXIS_END - AXIS_START)]
    for rank in range(1, k + 1, max(1, k // 10)):
        body.append(_line(place(rank), axis, 0, 1.2))
        body.append(rf"\put({place(rank):.2f},{axis + 2:.2f}){{\makebox(0,0)[b]{{\scriptsize {rank}}}}}")
    critical = min(ranks.critical, k - 1.0)
    body.append(_line(AXIS_START, axis + 9, place(1 + critical) - AXIS_START))
    for x in (AXIS_START, place(1 + critical)):
        body.append(_line(x, axis + 8.4, 0, 1.2))
    text = rf"\scriptsize critical difference {ranks.critical:.2f}"
    body.append(rf"\put({place(1 + critical) + 2:.2f},{axis + 9:.2f}){{\makebox(0,0)[l]{{{text}}}}}")
    for n, (method, average) in enumerate(zip(ranks.methods, ranks.average, strict=True)):
        left = n < half
        y = axis - 3.0 * len(ranks.groups) - 5.0 - pitch * (n if left else k - 1 - n)
        x = place(average)
        end = AXIS_START - 2 if left else AXIS_END + 2
        body.append(_line(x, y, 0, axis - y))
        body.append(_line(min(x, end), y, abs(end - x)))
        label = f"{escape_latex(method)} ({average:.2f})"
        side, anchor = (r"\raggedleft", "r") if left else (r"\raggedright", "l")
        box = rf"\parbox{{{AXIS_START - 4:g}mm}}{{\footnotesize{side} {label}}}"
        body.append(rf"\put({end + (-1 if left else 1):.2f},{y:.2f}){{\makebox(0,0)[{anchor}]{{{box}}}}}")
    body.append(r"\linethickness{1.6pt}")
    for g, group in enumerate(ranks.groups):
        positions = [place(ranks.average[ranks.methods.index(method)]) for method in group]
        start, end = min(positions), max(positions)
        body.append(_line(start - 0.7, axis - 3.0 * (g + 1), end - start + 1.4))
    rows = "\n".join(f"    {row}" for row in body)
    return rf"""{HEADER}\begin{{figure*}}[tbp]
  \centering
  \caption{{{escape_latex(ranks_caption(ranks))}}}
  \label{{fig:{name}-ranks}}
  \setlength{{\unitlength}}{{1mm}}
  \resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{%
  \begin{{picture}}({WIDTH:g},{height:.2f})(0,-4)
{rows}
  \end{{picture}}}}
\end{{figure*}}
"""


def _line(x: float, y: float, across: float, up: float = 0.0) -> str:
    """A horizontal line, or a vertical one if ``up`` is given."""
    direction, length = ("0,1", up) if up else ("1,0", across)
    return rf"\put({x:.2f},{y:.2f}){{\line({direction}){{{length:.2f}}}}}"
