"""Short labels of the rows of a table: the settings that all rows share are stated once, in the caption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BACKBONE = "backbone"
"""The parameter that a reader of a number always needs, also where it has its default."""
MAX_LISTED_SETTINGS = 4
"""With more changed parameters than this in a table, the caption states only those of several methods."""


@dataclass(frozen=True)
class RowParameters:
    """The parameters of the method in one row.

    ``values`` has all of them, ``changes`` those that differ from the benchmark's. ``known_defaults`` is false if the
    plugin is not loaded: then ``changes`` is empty. ``measured``: whether the row has a number. ``backbone``: the
    network whose weights its numbers depend on; empty if they depend on none.
    """

    method: str
    values: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict)
    known_defaults: bool = True
    measured: bool = True
    backbone: str = ""


@dataclass(frozen=True)
class RowSettings:
    """What distinguishes the rows of a table."""

    common: tuple[str, ...]
    """``name=value`` of the changed parameters that have the same value in every measured row that has them, and of
    the backbone."""
    rows: tuple[str, ...]
    """The other changed parameters of each row, as far as they tell rows apart: ``rate=0.1, updates=50`` or empty."""


def settle_labels(rows: Sequence[RowParameters]) -> RowSettings:
    """Return the settings that a caption states, and those that stand beside single rows.

    A parameter stands beside a row if it differs between rows of one method, or if several methods have changed it. A
    parameter that only one method changes is left to the notes. The backbone is always stated: in the caption if all
    rows that do not name theirs have the same, otherwise beside each row.
    """
    measured = [row for row in rows if row.measured]
    changed = dict.fromkeys(name for row in measured for name in sorted(row.changes))
    common = {name: value for name in changed if (value := _common_value(measured, name, len(changed))) is not None}
    beside: list[dict[str, Any]] = []
    for row in rows:
        siblings = [other for other in rows if other.method == row.method]
        values = row.changes if row.known_defaults else row.values
        names = [
            name
            for name in sorted(values)
            if name not in common
            and (_differs(siblings, name) or (row.known_defaults and _n_methods(measured, name) > 1))
        ]
        beside.append({name: values[name] for name in names})
    stated = [f"{name}={value}" for name, value in common.items()]
    if BACKBONE not in common:
        silent = [k for k, row in enumerate(rows) if row.measured and row.backbone and BACKBONE not in beside[k]]
        used = sorted({rows[k].backbone for k in silent})
        if len(used) == 1:
            some_differ = any(BACKBONE in of_row for of_row in beside)
            stated.append(f"{BACKBONE}={used[0]}" + (" where no other is named" if some_differ else ""))
        else:
            for k in silent:
                beside[k][BACKBONE] = rows[k].backbone
    labels = [", ".join(f"{name}={of_row[name]}" for name in sorted(of_row)) for of_row in beside]
    return RowSettings(tuple(stated), tuple(labels))


def _common_value(rows: Iterable[RowParameters], name: str, n_changed: int) -> Any:
    """The changed value that every row with this parameter has; None if there is none, or one method alone has it."""
    having = [row for row in rows if name in row.values or name in row.changes]
    values = [row.changes.get(name, row.values.get(name)) for row in having]
    if not having or any(value != values[0] for value in values):
        return None
    if any(row.known_defaults and name not in row.changes for row in having):
        return None
    several = len({row.method for row in having}) > 1
    return values[0] if several or n_changed <= MAX_LISTED_SETTINGS else None


def _differs(rows: Sequence[RowParameters], name: str) -> bool:
    """Whether these rows have different values of a parameter, or only some of them have it."""
    values = [(name in row.values, row.values.get(name)) for row in rows]
    return any(value != values[0] for value in values)


def _n_methods(rows: Iterable[RowParameters], name: str) -> int:
    return len({row.method for row in rows if name in row.changes})
