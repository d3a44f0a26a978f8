"""The cells of the table of relative improvements, as text."""

from __future__ import annotations

from relattr.report.tables.improvement import Improvement, RelativeGain

IMPROVEMENT_HEADER = [
    "Column",
    "Best earlier row, published",
    "Published, %",
    "Best earlier row, measured",
    "Measured, %",
]
_NONE = "–"


def improvement_cells(improvement: Improvement) -> list[list[str]]:
    """One row per column of the table, then the means."""
    rows = []
    for column, published, measured in zip(
        improvement.columns, improvement.published, improvement.measured, strict=True
    ):
        rows.append([column.label, *_gain_cells(published), *_gain_cells(measured)])
    means = [_percent(improvement.published_mean), _percent(improvement.measured_mean)]
    return [*rows, ["Mean", "", means[0], "", means[1]]]


def _gain_cells(gain: RelativeGain | None) -> list[str]:
    if gain is None:
        return [_NONE, _NONE]
    return [f"{gain.earlier_row} ({gain.earlier:.2f} to {gain.proposed:.2f})", _percent(gain.percent)]


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.1f}"
