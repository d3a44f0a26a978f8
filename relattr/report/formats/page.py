"""One self-contained HTML page about a benchmark: tables, figures, audits, and every cell."""

from __future__ import annotations

import base64
import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from relattr.errors import BadInput
from relattr.harness.benchmark import Benchmark
from relattr.harness.result import Result
from relattr.harness.scope import cells_in_scope
from relattr.harness.store import Store, Unreadable
from relattr.registry import Registry
from relattr.report.figures import charts
from relattr.report.figures.captions import is_drawn_from
from relattr.report.tables.builder import build_table
from relattr.report.tables.entry import VERDICTS, TableEntry
from relattr.report.tables.notes import GENERAL, Footnotes, place_footnotes
from relattr.report.tables.table import PaperTable

CURVES = 120
"""Up to so many learning curves are drawn."""
DETAILED = 1500
"""Up to so many cells show their whole row; of more, only those that did not end well do."""


@dataclass(frozen=True)
class PageTable:
    """A table on the page, with what Jinja cannot ask of it."""

    table: PaperTable
    key: str

    @cached_property
    def notes(self) -> Footnotes:
        return place_footnotes(self.table)

    @property
    def general(self) -> str:
        return f"{GENERAL}: {'; '.join(self.notes.general)}" if self.notes.general else ""

    @property
    def beside(self) -> list[tuple[str, str, TableEntry]]:
        """(method, column, entry) where there is something measured or published to put side by side."""
        return [
            (line.label, head.label, entry)
            for k, head in enumerate(self.table.columns)
            for line in self.table.lines
            if line.block < 2 and (entry := line.entries[k]).measured is not None and entry.published is not None
        ]


def to_html(
    benchmark: Benchmark, registry: Registry, store: Store, *, audit: bool = True, exhibits: Path | None = None
) -> str:
    """The page. Whatever comes from a plugin, a log or a label is escaped; nothing is loaded from elsewhere.

    ``exhibits``: a folder of PNG pictures to put into it (what ``relattr figures`` writes), each with its
    caption in a ``.txt`` of the same name, if there is one.
    """
    from relattr.report.tables.audits import audit_benchmark, leak_notes

    audits = audit_benchmark(benchmark, registry, store) if audit else {}
    table = build_table(benchmark, registry, store, leak_notes(audits))
    own = cells_in_scope(benchmark, registry)
    results = [r for r in store if not isinstance(r, Unreadable) and own(r.cell)]
    results.sort(key=lambda r: (r.cell.dataset, r.cell.attribute, r.cell.split, r.cell.method, r.cell.seed, r.cell.key))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("relattr.report.formats", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("page.html.jinja").render(
        benchmark=benchmark,
        table=PageTable(table, "main"),
        behind=[PageTable(each, f"behind-{k}") for k, each in enumerate(table.behind)],
        verdicts=VERDICTS,
        pictures=_pictures(table),
        ranks=table.ranks,
        ranking=charts.critical_difference_diagram(table.ranks, "cd") if table.ranks else None,
        learnt=(learnt := _learnt(results, store))[:CURVES],
        unlearnt=max(0, len(learnt) - CURVES),
        exhibits=(shown := _exhibits(exhibits, results))[0],
        outdated=shown[1],
        variances=[
            (line.label, head.label, e)
            for k, head in enumerate(table.columns)
            for line in table.lines
            if (e := line.entries[k]).n_seeds > 1 and e.error_seeds is not None
        ],
        audits=audits,
        audited=audit,
        statuses=sorted(Counter(r.status for r in results).items()),
        unreadable=table.unreadable,
        machines=_machines(results),
        cells=[_cell(r, store, len(results) <= DETAILED or r.status != "ok") for r in results],
        detailed=len(results) <= DETAILED,
    )
    return page if page.endswith("\n") else page + "\n"


def _pictures(table: PaperTable) -> list[tuple[str, str, str | None]]:
    """For each column with a number: its name, dots and whiskers, accuracy against cost; made safe by `figures`."""
    found = []
    for k, head in enumerate(table.columns):
        dots = charts.interval_chart(table, k, f"dots-{k}")
        if dots is not None:
            found.append((head.label, dots, charts.cost_chart(table, k, f"cost-{k}")))
    return found


def _learnt(results: Sequence[Result], store: Store) -> list[tuple[str, str]]:
    """A small learning curve for each cell that has the artifact ``curve`` ``(steps, 4)``."""
    import numpy as np

    drawn: list[tuple[str, str]] = []
    for result in results:
        if result.arrays is None:
            continue
        try:
            curve = store.arrays(result, verify=False).artifacts.get("curve", np.zeros((0, 4))).astype(np.float64)
        except (BadInput, TypeError, ValueError):
            continue
        if curve.ndim == 2 and curve.shape[1] == 4 and len(curve) > 1:
            name = f"{result.label}: {result.cell.task}, seed {result.cell.seed}"
            picture = charts.learning_curve_chart(curve, name, f"learnt-{len(drawn)}")
            if picture is not None:
                drawn.append((name, picture))
    return drawn


def _exhibits(folder: Path | None, results: Sequence[Result]) -> tuple[list[tuple[str, str, str]], int]:
    """Pictures as (name, caption, data URI), in the order of their names; what is no PNG is left out.

    So are those whose caption says that they were drawn from another result; returned is how many as well.
    """
    found, outdated = [], 0
    for path in sorted(folder.glob("*.png")) if folder is not None else ():
        content = path.read_bytes()
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            name = " ".join(path.stem.replace("_", " ").replace("-", " ").split())
            beside = path.with_suffix(".txt")
            caption = beside.read_text(encoding="utf-8", errors="replace").strip() if beside.is_file() else ""
            if not is_drawn_from(caption, results):
                outdated += 1
                continue
            uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
            found.append((name[:1].upper() + name[1:], caption, uri))
    return found, outdated


def _machines(results: Sequence[Result]) -> list[tuple[str, int]]:
    """What the cells ran on, in words, and how many did."""
    counts: Counter[str] = Counter()
    for result in results:
        p = result.provenance
        memory = f", {p.memory_bytes / 2**30:.0f} GiB" if p.memory_bytes >= 2**28 else ""
        tree = ", changed since" if p.dirty else ""
        counts[
            f"{p.cpu}{memory}, {p.device}, {p.threads} threads, Python {p.python}, commit {p.commit[:12]}{tree}"
        ] += 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _cell(result: Result, store: Store, detailed: bool) -> dict[str, Any]:
    path = store.path(result.cell)
    log = ""
    if detailed:
        with contextlib.suppress(OSError):
            log = path.with_suffix(".log").read_text(encoding="utf-8", errors="replace")[-20_000:]
    return {
        "key": result.cell.key,
        "method": result.label,
        "task": str(result.cell.task),
        "seed": result.cell.seed,
        "status": result.status,
        "accuracy": ", ".join(f"{t.test} {100 * t.accuracy:.2f} %" for t in result.tests),
        "reason": result.reason,
        "traceback": result.traceback,
        "log": log,
        "row": json.dumps(msgspec.to_builtins(result), indent=1, ensure_ascii=False) if detailed else "",
        "detailed": detailed,
    }
