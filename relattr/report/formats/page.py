"""One self-contained HTML page about a benchmark: tables, charts, figures, audits, and every cell."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from relattr.audit import Audit
from relattr.errors import BadInput
from relattr.harness.benchmark import Benchmark
from relattr.harness.result import Result
from relattr.harness.result_selection import ALL_RESULTS, ResultSelection
from relattr.harness.scope import benchmark_scope
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.registry import Registry
from relattr.report.figures import charts
from relattr.report.figures.ordered_images import order_own_images
from relattr.report.figures.source import is_drawn_from
from relattr.report.formats.html_template import render_html
from relattr.report.tables.audits import NoAudit, audit_benchmark, leak_notes
from relattr.report.tables.builder import build_table
from relattr.report.tables.captions import ranks_caption
from relattr.report.tables.correlations import correlated_columns, correlation_text, correlations_caption
from relattr.report.tables.entry import SECTIONS, VERDICTS, TableEntry
from relattr.report.tables.footnotes import GENERAL, Footnotes, place_footnotes
from relattr.report.tables.table import PaperTable
from relattr.system.reading import MAX_RESULT, read_bytes, read_text

MAX_CURVES = 120
"""How many learning curves are drawn at most."""
MAX_DETAILED_CELLS = 1500
"""With more cells than this, only those that failed are shown in full."""
MAX_LOG = 20_000
"""Characters of a log that are shown, from its end."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class PageTable:
    """A table with what the template needs to show it."""

    table: PaperTable
    key: str
    """Prefix of the identifiers of its notes."""

    @cached_property
    def footnotes(self) -> Footnotes:
        return place_footnotes(self.table)

    @property
    def general_note(self) -> str:
        return f"{GENERAL}: {'; '.join(self.footnotes.general)}" if self.footnotes.general else ""

    @property
    def correlations(self) -> tuple[list[str], list[tuple[str, list[str]]], str] | None:
        """Labels of columns, (method, correlations), and caption; None if no entry has a rank correlation."""
        shown = correlated_columns(self.table)
        if not shown:
            return None
        rows = [
            (row.label, [correlation_text(row.entries[k]) for k in shown])
            for row in self.table.rows
            if any(row.entries[k].spearman is not None for k in shown)
        ]
        return [self.table.columns[k].label for k in shown], rows, correlations_caption(self.table)

    @property
    def comparisons(self) -> list[tuple[str, str, TableEntry]]:
        """(method, column, entry) of every entry with a measured and a published number."""
        return [
            (row.label, column.label, entry)
            for k, column in enumerate(self.table.columns)
            for row in self.table.measured_rows
            if (entry := row.entries[k]).measured is not None and entry.published is not None
        ]


def benchmark_to_html(
    benchmark: Benchmark,
    registry: Registry,
    store: StoredResults,
    *,
    audit: bool = True,
    figures: Path | None = None,
    selection: ResultSelection = ALL_RESULTS,
) -> str:
    """Return the page of a benchmark.

    It loads nothing from elsewhere, and all text from plugins, logs and labels is escaped, control characters too.
    ``figures`` is a folder of PNG files (those that ``relattr figures`` writes), each with its caption in a ``.txt``
    file of the same name. ``selection`` chooses methods, attributes and seeds; the columns are those of the benchmark.
    """
    audits = audit_benchmark(benchmark, registry, store) if audit else {}
    table = build_table(benchmark, registry, store, leak_notes(audits), selection=selection)
    stored = [result for result in store if not isinstance(result, Unreadable)]
    in_scope = benchmark_scope(benchmark, registry).select(stored)
    results = [result for result in in_scope if selection.includes(result.cell)]
    results.sort(key=lambda r: (r.cell.dataset, r.cell.attribute, r.cell.split, r.cell.method, r.cell.seed, r.cell.key))
    curves = _learning_curves(results, store)
    images, n_outdated = _images(figures, results, in_scope)
    all_detailed = len(results) <= MAX_DETAILED_CELLS
    return render_html(
        "page",
        benchmark=benchmark,
        main=PageTable(table, "main"),
        attribute_tables=[PageTable(each, f"attributes-{k}") for k, each in enumerate(table.attribute_tables)],
        sections=SECTIONS,
        verdicts=VERDICTS,
        charts=_charts(table),
        dropped_ranks=table.ranks.dropped if table.ranks else (),
        rank_caption=ranks_caption(table.ranks) if table.ranks else "",
        rank_diagram=charts.critical_difference_diagram(table.ranks, "cd") if table.ranks else None,
        ordered_images=order_own_images(results, registry, store),
        curves=curves[:MAX_CURVES],
        n_hidden_curves=max(0, len(curves) - MAX_CURVES),
        images=images,
        n_outdated=n_outdated,
        variances=[
            (row.label, column.label, entry)
            for k, column in enumerate(table.columns)
            for row in table.rows
            if (entry := row.entries[k]).n_seeds > 1 and entry.seed_standard_error is not None
        ],
        audits=_audits(audits),
        audited=audit,
        statuses=sorted(Counter(result.status for result in results).items()),
        unreadable=table.unreadable,
        machines=_machines(results),
        cells=[_cell(result, store, all_detailed or result.status != "ok") for result in results],
        all_detailed=all_detailed,
    )


def _charts(table: PaperTable) -> list[tuple[str, str, str | None]]:
    """For each column with a number: its label, the chart of intervals, and the chart of accuracy against time."""
    drawn = []
    for k, column in enumerate(table.columns):
        intervals = charts.interval_chart(table, k, f"intervals-{k}")
        if intervals is not None:
            drawn.append((column.label, intervals, charts.cost_chart(table, k, f"cost-{k}")))
    return drawn


def _learning_curves(results: Sequence[Result], store: StoredResults) -> list[tuple[str, str]]:
    """(title, chart) of each cell with a valid artifact ``curve`` ``(steps, 4)``."""
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
            title = f"{result.label}: {result.cell.task}, seed {result.cell.seed}"
            chart = charts.learning_curve_chart(curve, title, f"curve-{len(drawn)}")
            if chart is not None:
                drawn.append((title, chart))
    return drawn


def _images(
    folder: Path | None, results: Sequence[Result], in_scope: Sequence[Result]
) -> tuple[list[tuple[str, str, str]], int]:
    """(title, caption, data URI) of the PNG files in a folder, sorted by name, and how many are outdated.

    Those whose caption names a result that is not one of ``results`` are left out; they are outdated if it is not one
    of the benchmark's results ``in_scope`` either.
    """
    images, n_outdated = [], 0
    for path in sorted(folder.glob("*.png")) if folder is not None else ():
        try:
            content = read_bytes(path, MAX_RESULT)
        except OSError:  # not a picture that `relattr figures` has drawn
            continue
        if not content.startswith(PNG_SIGNATURE):
            continue
        caption_file = path.with_suffix(".txt")
        caption = read_text(caption_file, errors="replace").strip() if caption_file.is_file() else ""
        if not is_drawn_from(caption, results):
            n_outdated += not is_drawn_from(caption, in_scope)
            continue
        title = " ".join(path.stem.replace("_", " ").replace("-", " ").split())
        uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        images.append((title[:1].upper() + title[1:], caption, uri))
    return images, n_outdated


def _audits(audits: Mapping[str, Audit | NoAudit]) -> list[tuple[str, Audit | None, str]]:
    """(dataset, audit, reason why there is none)."""
    return [
        (name, audit, "") if isinstance(audit, Audit) else (name, None, audit.reason) for name, audit in audits.items()
    ]


def _machines(results: Sequence[Result]) -> list[tuple[str, int]]:
    """The machines and versions that the cells ran with, and the number of cells of each."""
    counts: Counter[str] = Counter()
    for result in results:
        p = result.provenance
        memory = f", {p.memory_bytes / 2**30:.0f} GiB" if p.memory_bytes >= 2**28 else ""
        commit = f"commit {p.commit[:12]}{' with uncommitted changes' if p.dirty else ''}"
        counts[f"{p.cpu}{memory}, {p.device}, {p.threads} threads, Python {p.python}, {commit}"] += 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _cell(result: Result, store: StoredResults, detailed: bool) -> dict[str, Any]:
    return {
        "method": result.label,
        "task": str(result.cell.task),
        "seed": result.cell.seed,
        "status": result.status,
        "accuracy": ", ".join(f"{test.test} {100 * test.accuracy:.2f} %" for test in result.tests),
        "reason": result.reason,
        "traceback": result.traceback,
        "log": _log(result, store) if detailed else "",
        "row": msgspec.json.format(msgspec.json.encode(result), indent=1).decode() if detailed else "",
        "detailed": detailed,
    }


def _log(result: Result, store: StoredResults) -> str:
    try:
        return store.log(result.cell)[-MAX_LOG:]
    except OSError:
        return ""
