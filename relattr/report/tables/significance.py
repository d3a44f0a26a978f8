"""Which entries of a column are the best: one, and all that cannot be told from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relattr.harness.result import Result, TestResult
from relattr.report.tables.entry import LEVEL, TableEntry
from relattr.report.tables.judging import Judge, NotJudgeable, TestKey, test_key
from relattr.statistics import Design, Difference, Judgement, difference, holm

Rows = list[tuple[Result, TestResult]]


@dataclass(frozen=True)
class JudgedEntry:
    """What an entry was made from, kept for the comparison with the best."""

    design: Design
    judgements: list[Judgement]
    tests: tuple[TestKey, ...]
    rows: Rows


def mark_best(
    evidence: Judge, made: Sequence[Sequence[tuple[TableEntry, JudgedEntry | None]]]
) -> list[list[TableEntry]]:
    """In each column, mark the best and all that cannot be told from it.

    A mean over some of the attributes, splits or seeds may be high because the hard ones are not in it: it is never
    marked, only compared with the best on what both have.
    """
    entries = [[entry for entry, _ in own] for own in made]
    for k in range(len(made[0]) if made else 0):
        rivals = [i for i, own in enumerate(made) if own[k][0].measured is not None and not own[k][0].own_rule]
        if len(rivals) < 2:
            continue
        best = max(rivals, key=lambda i: (entries[i][k].n_cells, entries[i][k].measured or 0.0, -i))
        entries[best][k] = replace(entries[best][k], best=True)
        compared, p = [], []
        for i in rivals:
            if i == best:
                continue
            found = compare(evidence, made[best][k][1], made[i][k][1])
            if found is not None:
                compared.append(i)
                p.append(found.p)
            elif entries[i][k].measured == entries[best][k].measured:
                entries[i][k] = replace(entries[i][k], best=True)
        for i, adjusted in zip(compared, holm(p), strict=True):
            whole = entries[i][k].n_cells == entries[best][k].n_cells
            entries[i][k] = replace(entries[i][k], best=whole and adjusted >= 1 - LEVEL, p_best=adjusted)
    return entries


def compare(evidence: Judge, first: JudgedEntry | None, second: JudgedEntry | None) -> Difference | None:
    """First less second on the test sets that both have; None where there are none."""
    if first is None or second is None:
        return None
    if first.tests != second.tests:
        common = set(first.tests) & set(second.tests)
        try:
            first, second = _on(evidence, first, common), _on(evidence, second, common)
        except NotJudgeable:
            return None
    weights = weights_of(first.rows), weights_of(second.rows)
    return difference(first.design, first.judgements, second.judgements, weights=weights, level=LEVEL)


def _on(evidence: Judge, judged: JudgedEntry, common: set[TestKey]) -> JudgedEntry:
    rows = [(r, t) for r, t in judged.rows if test_key(r, t.test) in common]
    if not rows:
        raise NotJudgeable("no test set in common")
    design, judgements, keys = evidence.judge(rows)
    return JudgedEntry(design, judgements, keys, rows)


def weights_of(rows: Rows) -> list[float]:
    """Each attribute weighs the same, and in it each split and seed."""
    attributes = [result.cell.attribute for result, _ in rows]
    return [1.0 / (len(set(attributes)) * attributes.count(a)) for a in attributes]
