"""The ablation table: the effect of every other method on the accuracy of a base method, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relattr.errors import UnknownName
from relattr.report.tables.entry import LEVEL, TableColumn
from relattr.report.tables.judging import Judge
from relattr.report.tables.row_results import RowResults
from relattr.report.tables.significance import ComputedEntry, compare_entries
from relattr.statistics import holm

CAPTION = (
    "Difference in percentage points: accuracy minus that of {base} on the same test pairs; the first row has the "
    "accuracy of {base}. ±: half-width of the 95 % confidence interval over test images; with several seeds it "
    "includes the variation between training runs. Bold: significantly different from {base} (5 % level, Holm "
    "correction over the column)."
)
PARTIAL_NOTE = "over the attributes and splits that both have"


@dataclass(frozen=True)
class AblationEffect:
    """The difference of a method from the base in one column, in points."""

    value: float
    lower: float
    upper: float
    p: float
    """p-value of no difference, Holm-adjusted over the column."""
    partial: bool
    """Whether it leaves out attributes or splits that only one of the two has."""

    @property
    def half_width(self) -> float:
        """Half the width of the confidence interval."""
        return (self.upper - self.lower) / 2

    @property
    def text(self) -> str:
        """The signed value with two decimals; never ``-0.00``."""
        return f"{round(self.value, 2) + 0.0:+.2f}"

    @property
    def significant(self) -> bool:
        """Whether the difference is significant at the 5 % level."""
        return self.p < 1 - LEVEL


@dataclass(frozen=True)
class AblationRow:
    """A method; an effect is None where it or the base has no result to compare."""

    label: str
    key: str
    effects: tuple[AblationEffect | None, ...]


@dataclass(frozen=True)
class Ablation:
    """The comparison of a table's methods with one of them, its ``base``."""

    name: str
    title: str
    base: str
    columns: tuple[TableColumn, ...]
    accuracies: tuple[float | None, ...]
    """Accuracy of the base in each column, in per cent."""
    rows: tuple[AblationRow, ...]

    @property
    def caption(self) -> str:
        return f"{self.title}. {CAPTION.format(base=self.base)}"

    @property
    def partial(self) -> bool:
        """Whether any difference leaves out attributes or splits."""
        return any(effect is not None and effect.partial for row in self.rows for effect in row.effects)


def find_base_row(rows: Sequence[RowResults], name: str) -> int:
    """Return the index of the row with this key, or else of the first row of this method.

    Raises `UnknownName` if there is none.
    """
    for names in ([row.key for row in rows], [row.method for row in rows]):
        if name in names:
            return names.index(name)
    raise UnknownName("method to compare with", name, [row.key for row in rows])


def compute_ablation(
    judge: Judge,
    name: str,
    title: str,
    columns: Sequence[TableColumn],
    rows: Sequence[RowResults],
    grid: Sequence[Sequence[ComputedEntry]],
    base: int,
) -> Ablation:
    """Compare every row of a table with row ``base``; ``grid`` ``[row][column]`` has the computed entries."""
    effects: list[list[AblationEffect | None]] = [[None] * len(columns) for _ in rows]
    for k in range(len(columns)):
        reference = grid[base][k].judgements
        for i in range(len(rows)):
            other = grid[i][k].judgements
            if i == base or reference is None or other is None:
                continue
            d = compare_entries(judge, other, reference)
            if d is not None:
                partial = other.tests != reference.tests
                effects[i][k] = AblationEffect(100 * d.value, 100 * d.lower, 100 * d.upper, d.p, partial)
        compared = [(i, effect) for i in range(len(rows)) if (effect := effects[i][k]) is not None]
        for (i, effect), p in zip(compared, holm([effect.p for _, effect in compared]), strict=True):
            effects[i][k] = replace(effect, p=p)
    return Ablation(
        f"{name}-against-{rows[base].key}",
        f"{title}: against {rows[base].label}",
        rows[base].label,
        tuple(columns),
        tuple(computed.entry.measured if computed.judgements is not None else None for computed in grid[base]),
        tuple(
            AblationRow(row.label, row.key, tuple(of_row))
            for row, of_row in zip(rows, effects, strict=True)
            if any(effect is not None for effect in of_row)
        ),
    )
