"""Cells that are alike, as one line: ``zappos: 240 cells blocked (6 methods, 4 attributes): images are missing``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relattr.cli.cells import state_of
from relattr.cli.wording import counted
from relattr.harness.plan import PlannedCell
from relattr.system.text import one_line

MAX_NAMED = 2
"""With more names than this, a group says how many there are."""
MAX_REASON = 200
"""Characters of the list of changes behind a stale result; single cells show all of it."""


@dataclass(frozen=True)
class CellGroup:
    """Cells of one dataset in the same state for the same reason."""

    state: str
    dataset: str
    reason: str
    cells: Sequence[PlannedCell]

    def line(self, duration: str = "") -> str:
        """The group on one line, with the time that its cells take."""
        cells = [planned.cell for planned in self.cells]
        seeds = list(dict.fromkeys(cell.seed for cell in cells))
        members = [
            named((cell.method for cell in cells), "method"),
            named((cell.attribute for cell in cells), "attribute"),
            *([counted(len(seeds), "seed")] if len(seeds) > 1 else []),
        ]
        text = f"{self.dataset}: {counted(len(cells), 'cell')} {self.state} ({'; '.join(members)})"
        text += f", {duration}" if duration else ""
        reason = self.reason.removeprefix(f"{self.dataset}: ")
        return f"{text}: {one_line(reason)}" if reason and self.state != "missing" else text


def group_cells(cells: Iterable[PlannedCell]) -> list[CellGroup]:
    """Group cells by dataset, state and reason, in order of first use.

    The stale ones of a dataset are one group: what has changed is usually different for every method.
    """
    groups: dict[tuple[str, str, str], list[PlannedCell]] = {}
    for planned in cells:
        is_stale = planned.state == "stale"
        key = planned.cell.dataset, state_of(planned), "" if is_stale else planned.reason
        groups.setdefault(key, []).append(planned)
    return [
        CellGroup(state, dataset, reason or _shared_reason(members), members)
        for (dataset, state, reason), members in groups.items()
    ]


def _shared_reason(cells: Sequence[PlannedCell]) -> str:
    """The reason of all these cells, shortened; or that they differ."""
    reasons = {planned.reason for planned in cells}
    if len(reasons) == 1:
        return shortened_reason(reasons.pop())
    return "the code, data or weights of each have changed; --verbose says what"


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
