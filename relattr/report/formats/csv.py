"""Tables as CSV, one line per row and column, in full precision."""

from __future__ import annotations

from relattr.report.tables.ablation import Ablation
from relattr.report.tables.table import PaperTable
from relattr.system.spreadsheet import csv_text

TABLE_HEADER = [
    "table",
    "row",
    "method",
    "setting",
    "column",
    "published_percent",
    "measured_percent",
    "low_percent",
    "high_percent",
    "difference_points",
    "verdict",
    "best",
    "p_best",
    "n_ordered",
    "n_images",
    "n_attributes",
    "n_seeds",
    "seed_spread_points",
    "error_images_points",
    "error_seeds_points",
    "spearman",
    "spearman_low",
    "spearman_high",
    "seconds",
    "status",
    "constant",
    "reliability",
    "notes",
]
ABLATION_HEADER = [
    "table",
    "base",
    "row",
    "method",
    "column",
    "gain_points",
    "low_points",
    "high_points",
    "p_holm",
    "different",
    "part",
]


def table_to_csv(table: PaperTable) -> str:
    """One line per row and column."""
    return csv_text(
        TABLE_HEADER,
        (
            [
                table.name,
                row.label,
                row.key,
                row.setting,
                column.label,
                _number(entry.published),
                _number(entry.measured),
                _number(entry.lower),
                _number(entry.upper),
                _number(entry.difference),
                entry.verdict,
                _flag(entry.best),
                _number(entry.p_best),
                entry.n_ordered or "",
                entry.n_images or "",
                entry.n_attributes or "",
                entry.n_seeds or "",
                _number(entry.seed_spread),
                _number(entry.image_standard_error),
                _number(entry.seed_standard_error),
                _number(entry.spearman),
                _number(entry.spearman_lower),
                _number(entry.spearman_upper),
                "" if entry.seconds is None else f"{entry.seconds:.3f}",
                entry.status,
                _flag(entry.constant),
                entry.reliability,
                "; ".join((*row.notes, *entry.notes)),
            ]
            for row in table.rows
            for column, entry in zip(table.columns, row.entries, strict=True)
        ),
    )


def ablation_to_csv(ablation: Ablation) -> str:
    """One line per row and column that can be compared with the base."""
    return csv_text(
        ABLATION_HEADER,
        (
            [
                ablation.name,
                ablation.base,
                row.label,
                row.key,
                column.label,
                _number(effect.value),
                _number(effect.lower),
                _number(effect.upper),
                _number(effect.p),
                _flag(effect.significant),
                _flag(effect.partial),
            ]
            for row in ablation.rows
            for column, effect in zip(ablation.columns, row.effects, strict=True)
            if effect is not None
        ),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _flag(value: bool) -> str:
    return "yes" if value else ""
