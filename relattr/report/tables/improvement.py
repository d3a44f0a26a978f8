"""Relative improvement of a proposed method over the best earlier row of each column, published and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relattr.harness.benchmark import ImprovementSpec
from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.row_results import RowResults

CAPTION = (
    "Relative improvement of {proposed} over the best earlier row of each column: (accuracy - earlier) / earlier, in "
    "per cent. Measured numbers take part as they are, whether or not they are comparable with published ones."
)


@dataclass(frozen=True)
class RelativeGain:
    """The accuracies, in per cent, of a proposed method and of the best earlier row."""

    proposed: float
    earlier: float
    earlier_row: str

    @property
    def percent(self) -> float:
        """The relative improvement, in per cent of the earlier accuracy."""
        return 100 * (self.proposed - self.earlier) / self.earlier


@dataclass(frozen=True)
class Improvement:
    """The relative improvements of a table; a gain is None in a column without both numbers."""

    proposed: str
    columns: tuple[TableColumn, ...]
    published: tuple[RelativeGain | None, ...]
    measured: tuple[RelativeGain | None, ...]
    note: str
    """What the publication says about its improvement."""

    @property
    def caption(self) -> str:
        return " ".join(filter(None, [CAPTION.format(proposed=self.proposed), self.note]))

    @property
    def published_mean(self) -> float | None:
        """Mean of the published improvements over the columns, in per cent."""
        return _mean(self.published)

    @property
    def measured_mean(self) -> float | None:
        return _mean(self.measured)


def compute_improvement(
    spec: ImprovementSpec,
    columns: Sequence[TableColumn],
    rows: Sequence[RowResults],
    entries: Sequence[Sequence[TableEntry]],
) -> Improvement:
    """Compute the improvements from the entries ``[row][column]`` of a table.

    Of a method with several rows, the one with the highest measured number counts. Numbers under another rule for ties
    are left out of the measured ones, as they are not comparable with the others.
    """
    published: list[RelativeGain | None] = []
    measured: list[RelativeGain | None] = []
    for k in range(len(columns)):
        candidates = [(row, of_row[k]) for row, of_row in zip(rows, entries, strict=True)]
        published.append(_gain(spec, [(row, entry.published) for row, entry in candidates]))
        measured.append(
            _gain(spec, [(row, None if entry.custom_tie_rule else entry.measured) for row, entry in candidates])
        )
    proposed = next((row.paper_row or row.label for row in rows if row.method == spec.proposed), spec.proposed)
    note = " ".join(spec.note.split())
    return Improvement(proposed, tuple(columns), tuple(published), tuple(measured), note)


def _gain(spec: ImprovementSpec, numbers: Sequence[tuple[RowResults, float | None]]) -> RelativeGain | None:
    known = [(row, value) for row, value in numbers if value is not None]
    proposed = [value for row, value in known if row.method == spec.proposed]
    earlier = [(value, row.paper_row or row.label) for row, value in known if row.method in spec.earlier]
    if not proposed or not earlier:
        return None
    best, name = max(earlier, key=lambda item: item[0])
    return RelativeGain(max(proposed), best, name) if best > 0 else None


def _mean(gains: Sequence[RelativeGain | None]) -> float | None:
    values = [gain.percent for gain in gains if gain is not None]
    return sum(values) / len(values) if values else None
