"""The critical-difference diagram in LaTeX, drawn with the picture environment: it needs no package."""

from __future__ import annotations

from relattr.report.formats.escape import escape_latex
from relattr.report.formats.latex import OPENING
from relattr.statistics.ranks import Ranks

LEFT, RIGHT, WIDTH = 57.0, 103.0, 160.0
"""Where the axis begins and ends, and the whole width, in millimetres."""
MOST = 40
"""Of more methods no diagram can be read; there is none then."""


def caption(ranks: Ranks) -> str:
    """What the diagram shows, in words."""
    return (
        f"Average rank over {len(ranks.blocks)} attributes and columns on which every method shown has a result; 1 is "
        "best. A bar joins methods that cannot be told apart: their ranks differ by less than the critical difference "
        f"(Nemenyi, 5 %). No difference at all: p = {ranks.friedman_p:.2g} (Friedman, Iman and Davenport)."
    )


def to_latex_ranks(name: str, ranks: Ranks) -> str | None:
    """A figure environment; None where there are more methods than can be shown."""
    k = len(ranks.methods)
    if k > MOST:
        return None
    pitch = 8.0 if max(map(len, ranks.methods)) > 34 else 5.0
    half = (k + 1) // 2
    axis = pitch * half + 3.0 * len(ranks.groups) + 5.0
    height = axis + 14.0

    def place(rank: float) -> float:
        return LEFT + (RIGHT - LEFT) * (rank - 1) / (max(k, 2) - 1)

    body = [r"\linethickness{0.4pt}", _line(LEFT, axis, RIGHT - LEFT)]
    for rank in range(1, k + 1, max(1, k // 10)):
        body.append(_line(place(rank), axis, 0, 1.2))
        body.append(rf"\put({place(rank):.2f},{axis + 2:.2f}){{\makebox(0,0)[b]{{\scriptsize {rank}}}}}")
    shown = min(ranks.critical, k - 1.0)
    body.append(_line(LEFT, axis + 9, place(1 + shown) - LEFT))
    for x in (LEFT, place(1 + shown)):
        body.append(_line(x, axis + 8.4, 0, 1.2))
    text = rf"\scriptsize critical difference {ranks.critical:.2f}"
    body.append(rf"\put({place(1 + shown) + 2:.2f},{axis + 9:.2f}){{\makebox(0,0)[l]{{{text}}}}}")
    for n, (method, average) in enumerate(zip(ranks.methods, ranks.average, strict=True)):
        left = n < half
        y = axis - 3.0 * len(ranks.groups) - 5.0 - pitch * (n if left else k - 1 - n)
        x = place(average)
        end = LEFT - 2 if left else RIGHT + 2
        body.append(_line(x, y, 0, axis - y))
        body.append(_line(min(x, end), y, abs(end - x)))
        words = f"{escape_latex(method)} ({average:.2f})"
        side, anchor = (r"\raggedleft", "r") if left else (r"\raggedright", "l")
        box = rf"\parbox{{{LEFT - 4:g}mm}}{{\footnotesize{side} {words}}}"
        body.append(rf"\put({end + (-1 if left else 1):.2f},{y:.2f}){{\makebox(0,0)[{anchor}]{{{box}}}}}")
    body.append(r"\linethickness{1.6pt}")
    for g, group in enumerate(ranks.groups):
        at = [place(ranks.average[ranks.methods.index(m)]) for m in group]
        body.append(_line(min(at) - 0.7, axis - 3.0 * (g + 1), max(at) - min(at) + 1.4))
    rows = "\n".join(f"    {row}" for row in body)
    return rf"""{OPENING}\begin{{figure}}[tbp]
  \centering
  \caption{{{escape_latex(caption(ranks))}}}
  \label{{fig:{name}-ranks}}
  \setlength{{\unitlength}}{{1mm}}
  \resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{%
  \begin{{picture}}({WIDTH:g},{height:.2f})(0,-4)
{rows}
  \end{{picture}}}}
\end{{figure}}
"""


def _line(x: float, y: float, across: float, up: float = 0.0) -> str:
    way, length = ("0,1", up) if up else ("1,0", across)
    return rf"\put({x:.2f},{y:.2f}){{\line({way}){{{length:.2f}}}}}"
