"""The ablation table as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.report.formats.escape import escape_latex
from relattr.report.formats.latex.environments import (
    HEADER,
    MAX_COLUMNS_WITH_INTERVAL,
    column_parts,
    footnote_mark,
    label_column,
    part_of,
    table_environment,
)
from relattr.report.tables.ablation import PARTIAL_NOTE, Ablation, AblationEffect
from relattr.report.tables.footnotes import Footnotes


def ablation_to_latex(ablation: Ablation) -> str:
    """A table environment; several if there are more than `MAX_COLUMNS_WITH_INTERVAL` columns."""
    parts = column_parts(len(ablation.columns), MAX_COLUMNS_WITH_INTERVAL)
    return HEADER + "".join(_table_part(ablation, part, k, len(parts)) for k, part in enumerate(parts))


def _table_part(ablation: Ablation, part: Sequence[int], number: int, n_parts: int) -> str:
    effects = [row.effects[k] for row in ablation.rows for k in part]
    partial = any(effect is not None and effect.partial for effect in effects)
    footnotes = Footnotes((), (), (), (), {PARTIAL_NOTE: "a"} if partial else {})
    accuracies = (ablation.accuracies[k] for k in part)
    base = ["{--} &" if accuracy is None else f"{accuracy:.2f} &" for accuracy in accuracies]
    body = [" & ".join([escape_latex(ablation.base), *base]) + r" \\", r"\midrule"]
    for row in ablation.rows:
        cells = [_cells(row.effects[k], footnotes) for k in part]
        body.append(" & ".join([escape_latex(row.label), *cells]) + r" \\")
    labels = (escape_latex(ablation.columns[k].label) for k in part)
    head = "Method" + "".join(rf" & \multicolumn{{2}}{{c}}{{{label}}}" for label in labels) + r" \\"
    columns = label_column([ablation.base, *(row.label for row in ablation.rows)])
    columns += r" S[table-format=+2.2,retain-explicit-plus]@{\,}l" * len(part) + "@{}"
    label, caption = part_of(ablation.name, ablation.caption, number, n_parts)
    return table_environment(label, caption, columns, head, body, footnotes)


def _cells(effect: AblationEffect | None, footnotes: Footnotes) -> str:
    """The two cells of an effect: value and ±."""
    if effect is None:
        return "{--} &"
    mark = footnote_mark((PARTIAL_NOTE,), footnotes) if effect.partial else ""
    bold = r"\bfseries " if effect.significant else ""
    return rf"{bold}{effect.text} & {{\scriptsize$\pm$\,{effect.half_width:.1f}}}{mark}"
