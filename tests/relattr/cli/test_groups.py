"""A plan that fits a screen: cells that are alike are one line."""

from __future__ import annotations

from relattr.cli.groups import MAX_REASON, group_cells, shortened_reason
from relattr.harness.cell import Cell
from relattr.harness.plan import PlannedCell


def planned(method="m", dataset="d", attribute="x", seed=0, state="missing", reason="no result yet"):
    return PlannedCell(Cell(method, {}, dataset, {}, attribute, "standard", seed), state, reason, {})


def lines(*cells):
    return [group.line() for group in group_cells(cells)]


def test_cells_with_one_reason_are_one_line():
    blocked = [
        planned(f"m{k}", "zappos", a, s, "blocked", "zappos: no images; get them there")
        for k in range(3)
        for a in ("x", "y", "z")
        for s in (0, 1)
    ]
    assert lines(planned(), *blocked, planned("n")) == [
        "d: 2 cells missing (m, n; x)",
        "zappos: 18 cells blocked (3 methods; 3 attributes; 2 seeds): no images; get them there",
    ]


def test_different_reasons_are_different_lines():
    cells = [planned(state="failed", reason=f"failed: {what}") for what in ("one", "two")]
    assert lines(*cells) == ["d: 1 cell failed (m; x): failed: one", "d: 1 cell failed (m; x): failed: two"]


def test_stale_cells_are_one_line_whatever_has_changed():
    cells = [planned(f"m{k}", state="stale", reason=f"module_{k} changed") for k in range(2)]
    assert lines(*cells) == [
        "d: 2 cells stale (m0, m1; x): the code, data or weights of each have changed; --verbose says what"
    ]
    assert lines(cells[0], cells[0]) == ["d: 2 cells stale (m0; x): module_0 changed"]


def test_a_long_reason_is_cut_at_a_comma():
    reason = ", ".join(f"relattr.module_{k} changed" for k in range(40))
    text = shortened_reason(reason)
    assert len(text) <= MAX_REASON + 5
    assert reason.startswith(text.removesuffix(", ..."))
    assert shortened_reason("short\nreason") == "short reason"
