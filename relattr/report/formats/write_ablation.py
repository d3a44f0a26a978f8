"""What methods add to one of them, as CSV, Markdown and plain text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from relattr.report.formats.columns import aligned, full, guarded, pipes
from relattr.report.formats.escape import escape_markdown
from relattr.report.formats.latex_ablation import to_latex_gains
from relattr.report.tables.ablation import PART, Ablation, AblationEffect
from relattr.system.atomic import write_text

HEAD = [
    "table",
    "base",
    "row",
    "method",
    "column",
    "gain_points",
    "low_points",
    "high_points",
    "p_holm",
    "different",
    "part",
]


def to_markdown(gains: Ablation) -> str:
    """A heading, the caption, and the table: the base's accuracies, then what the others add."""
    lines = [f"# {escape_markdown(gains.title)}", "", escape_markdown(gains.caption), ""]
    lines += pipes(*_grid(gains, escape_markdown, lambda gain, text: f"**{text}**" if gain.real else text))
    if gains.parts:
        lines += ["", f"- (a) {PART}"]
    return "\n".join(lines) + "\n"


def to_text(gains: Ablation) -> str:
    """The table for a terminal, its columns aligned; a star where others have bold."""
    head, rows = _grid(gains, str, lambda gain, text: f"*{text}" if gain.real else text)
    lines = [gains.title, "", *aligned([head, *rows], ruled=1), ""]
    if gains.parts:
        lines += [f"(a) {PART}", ""]
    return "\n".join([*lines, gains.caption.replace("Bold:", "Star:")]) + "\n"


def _grid(
    gains: Ablation, escape: Callable[[str], str], mark: Callable[[AblationEffect, str], str]
) -> tuple[list[str], list[list[str]]]:
    """The head and the rows as cells of text."""
    head = ["Method", *(escape(column.label) for column in gains.columns)]
    rows = [[escape(gains.base), *("–" if value is None else f"{value:.2f}" for value in gains.accuracies)]]
    for line in gains.lines:
        cells = []
        for gain in line.effects:
            text = "–" if gain is None else f"{mark(gain, gain.shown)} ± {gain.half:.1f}"
            cells.append(text + (" (a)" if gain is not None and gain.part else ""))
        rows.append([escape(line.label), *cells])
    return head, rows


def to_csv(gains: Ablation) -> str:
    """One line per row and column that can be compared, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    for line in gains.lines:
        for column, gain in zip(gains.columns, line.effects, strict=True):
            if gain is not None:
                writer.writerow(
                    [
                        gains.name,
                        guarded(gains.base),
                        guarded(line.label),
                        line.key,
                        guarded(column.label),
                        *map(full, (gain.value, gain.low, gain.high, gain.p)),
                        "yes" if gain.real else "",
                        "yes" if gain.part else "",
                    ]
                )
    return out.getvalue()


def write(gains: Ablation, folder: Path) -> list[Path]:
    """``<name>.tex``, ``.csv`` and ``.md`` in ``folder``; returns the paths."""
    made = []
    for suffix, content in ((".tex", to_latex_gains(gains)), (".csv", to_csv(gains)), (".md", to_markdown(gains))):
        path = folder / f"{gains.name}{suffix}"
        write_text(path, content)
        made.append(path)
    return made
