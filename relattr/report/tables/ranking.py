"""What the methods of a table are ranked on."""

from __future__ import annotations

from collections.abc import Mapping

from relattr.report.tables.entry import Head, TableEntry
from relattr.report.tables.table import PaperTable
from relattr.statistics import Ranks, average_ranks


def ranks_of(table: PaperTable, behind: Mapping[Head, PaperTable]) -> Ranks | None:
    """Ranks over the attributes of a column, where there are any, and else over the column."""
    labels = [line.label for line in table.lines]
    heads = [head.label for head in table.columns]
    blocks: dict[str, dict[str, float]] = {}
    for i, line in enumerate(table.lines):
        own: dict[str, TableEntry] = {}
        for head, entry in zip(table.columns, line.entries, strict=True):
            name = head.label if heads.count(head.label) == 1 else f"{head.label} ({head.key})"
            if head in behind:
                inside = behind[head]
                parts = zip(inside.columns[:-1], inside.lines[i].entries[:-1], strict=True)
                own |= {f"{name} {h.label}": e for h, e in parts}
            else:
                own[name] = entry
        known = {b: e.measured for b, e in own.items() if e.measured is not None and not e.own_rule}
        if known:
            blocks[line.label if labels.count(line.label) == 1 else f"{line.label} ({line.key})"] = known
    return average_ranks(blocks)
