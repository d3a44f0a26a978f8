"""Cells that are alike, as one line: how many, of which methods, attributes and seeds, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from relattr.cli.cells import state_of
from relattr.cli.wording import counted
from relattr.harness.plan import PlannedCell
from relattr.system.text import one_line

MAX_NAMED = 3
"""With more names than this, a group says how many there are."""
MAX_REASON = 200
"""Characters of a reason in the line of a group; single cells show all of it."""


@dataclass(frozen=True)
class CellGroup:
    """Cells of one dataset in the same state for the same reason."""

    state: str
    dataset: str
    reason: str
    cells: Sequence[PlannedCell]

    @property
    def row(self) -> tuple[str, str, str, str, str, str]:
        """State, number of cells, dataset, methods, attributes and seeds, as text."""
        cells = [planned.cell for planned in self.cells]
        return (
            self.state,
            counted(len(cells), "cell"),
            self.dataset,
            named((cell.method for cell in cells), "method"),
            named((cell.attribute for cell in cells), "attribute"),
            named((f"seed {cell.seed}" for cell in cells), "seed"),
        )


def group_cells(cells: Iterable[PlannedCell], by_method: Callable[[PlannedCell], bool]) -> list[CellGroup]:
    """Group cells by dataset, state and reason, and by method where ``by_method`` says so; in order of first use."""
    groups: dict[tuple[str, str, str, str], list[PlannedCell]] = {}
    for planned in cells:
        method = planned.cell.method if by_method(planned) else ""
        key = planned.cell.dataset, state_of(planned), planned.reason, method
        groups.setdefault(key, []).append(planned)
    return [CellGroup(state, dataset, reason, members) for (dataset, state, reason, _), members in groups.items()]


def named(names: Iterable[str], noun: str) -> str:
    """The different names, or how many there are if they are more than `MAX_NAMED`."""
    different = list(dict.fromkeys(names))
    return ", ".join(different) if len(different) <= MAX_NAMED else counted(len(different), noun)


def shortened_reason(reason: str) -> str:
    """The reason on one line, cut at a comma or space if it is long."""
    text = one_line(reason)
    if len(text) <= MAX_REASON:
        return text
    start = text[:MAX_REASON]
    comma = start.rfind(", ")
    return f"{start[:comma] if comma > MAX_REASON // 2 else start.rpartition(' ')[0]}, ..."
