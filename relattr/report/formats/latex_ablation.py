"""What methods add to one of them, as a LaTeX table."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.report.formats import latex
from relattr.report.formats.escape import escape_latex
from relattr.report.tables.ablation import PART, Ablation, AblationEffect
from relattr.report.tables.notes import Notes


def to_latex_gains(gains: Ablation) -> str:
    """A table environment; of many columns, one for each `latex.WIDE` of them."""
    n = len(gains.columns)
    parts = [range(k, min(k + latex.WIDE, n)) for k in range(0, n, latex.WIDE)]
    made = [_table(gains, part, k, len(parts)) for k, part in enumerate(parts)]
    return f"{latex.OPENING}{''.join(made)}"


def _table(gains: Ablation, part: Sequence[int], number: int, of: int) -> str:
    shared = [line.effects[k] for line in gains.lines for k in part]
    some = any(gain is not None and gain.part for gain in shared)
    notes = Notes((), (), (), (), {PART: "a"} if some else {})
    accuracies = (gains.accuracies[k] for k in part)
    own = ["{--} &" if value is None else f"{value:.2f} &" for value in accuracies]
    body = [" & ".join([escape_latex(gains.base), *own]) + r" \\", r"\midrule"]
    for line in gains.lines:
        cells = [_cell(line.effects[k], notes) for k in part]
        body.append(" & ".join([escape_latex(line.label), *cells]) + r" \\")
    head = "Method" + "".join(rf" & \multicolumn{{2}}{{c}}{{{escape_latex(gains.columns[k].label)}}}" for k in part)
    columns = latex.first_column([gains.base, *(line.label for line in gains.lines)])
    columns += r" S[table-format=+2.2,retain-explicit-plus]@{\,}l" * len(part) + "@{}"
    caption = gains.caption + (f" Part {number + 1} of {of}." if of > 1 else "")
    label = gains.name + (f"-part{number + 1}" if of > 1 else "")
    return latex.floating(label, caption, columns, head + r" \\", body, notes)


def _cell(gain: AblationEffect | None, notes: Notes) -> str:
    """Number & ±."""
    if gain is None:
        return "{--} &"
    mark = latex.mark((PART,), notes) if gain.part else ""
    bold = r"\bfseries " if gain.real else ""
    return rf"{bold}{gain.shown} & {{\scriptsize$\pm$\,{gain.half:.1f}}}{mark}"
