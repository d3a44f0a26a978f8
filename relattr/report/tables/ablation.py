"""What each method adds to one of them, column by column: the table of an ablation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relattr.errors import UnknownName
from relattr.report.tables.entry import LEVEL, Head, TableEntry
from relattr.report.tables.judging import Judge
from relattr.report.tables.rows import TableRow
from relattr.report.tables.significance import JudgedEntry, compare
from relattr.statistics import holm

RULE = (
    "In points: accuracy less that of {base} on the same test pairs, which is in the first row. After ±: half the "
    "95 % interval over images drawn anew; with several seeds it holds their spread too. Bold: different from {base} "
    "(5 %, Holm's correction over the column)."
)
PART = "over the attributes and splits that both have"


@dataclass(frozen=True)
class AblationEffect:
    """What a method adds in a column, in points; ``p``: of no difference, Holm's over the column."""

    value: float
    low: float
    high: float
    p: float
    part: bool
    """Whether one of the two has attributes or splits that the other lacks; those are not in it."""

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    @property
    def shown(self) -> str:
        """With its sign; nothing is less than nothing."""
        return f"{round(self.value, 2) + 0.0:+.2f}"

    @property
    def real(self) -> bool:
        """Whether chance does not explain it."""
        return self.p < 1 - LEVEL


@dataclass(frozen=True)
class AblationLine:
    """A method; None where it or the base has nothing to compare."""

    label: str
    key: str
    effects: tuple[AblationEffect | None, ...]


@dataclass(frozen=True)
class Ablation:
    """What the methods of a table add to one of them, its ``base``."""

    name: str
    title: str
    base: str
    columns: tuple[Head, ...]
    accuracies: tuple[float | None, ...]
    """Of the base, in per cent."""
    lines: tuple[AblationLine, ...]

    @property
    def caption(self) -> str:
        return f"{self.title}. {RULE.format(base=self.base)}"

    @property
    def parts(self) -> bool:
        """Whether there is a number that is not over all attributes."""
        return any(gain is not None and gain.part for line in self.lines for gain in line.effects)


def base_of(rows: Sequence[TableRow], name: str) -> int:
    """The row of a table that is called so: by its key, or by its method, whose first row it is then.

    Raises `UnknownName`.
    """
    for given in ([row.key for row in rows], [row.method for row in rows]):
        if name in given:
            return given.index(name)
    raise UnknownName("method to compare with", name, [row.key for row in rows])


def compare_with_base(
    evidence: Judge,
    name: str,
    title: str,
    columns: Sequence[Head],
    rows: Sequence[TableRow],
    made: Sequence[Sequence[tuple[TableEntry, JudgedEntry | None]]],
    base: int,
) -> Ablation:
    """Compare every row of a table with row ``base``; ``made`` has what each was made from, ``[row][column]``."""
    found: list[list[AblationEffect | None]] = [[None] * len(columns) for _ in rows]
    for k in range(len(columns)):
        first = made[base][k][1]
        for i in range(len(rows)):
            other = made[i][k][1]
            if i == base or first is None or other is None:
                continue
            d = compare(evidence, other, first)
            if d is not None:
                found[i][k] = AblationEffect(100 * d.value, 100 * d.low, 100 * d.high, d.p, other.tests != first.tests)
        known = [(i, gain) for i in range(len(rows)) if (gain := found[i][k]) is not None]
        for (i, gain), p in zip(known, holm([gain.p for _, gain in known]), strict=True):
            found[i][k] = replace(gain, p=p)
    lines = tuple(
        AblationLine(row.label, row.key, tuple(own))
        for row, own in zip(rows, found, strict=True)
        if any(gain is not None for gain in own)
    )
    accuracies = tuple(entry.measured if judged is not None else None for entry, judged in made[base])
    return Ablation(
        f"{name}-against-{rows[base].key}",
        f"{title}: against {rows[base].label}",
        rows[base].label,
        tuple(columns),
        accuracies,
        lines,
    )
