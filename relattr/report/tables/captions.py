"""Captions: how accuracy is counted, what ± and bold mean, and on how many pairs it was measured."""

from __future__ import annotations

from dataclasses import replace

from relattr.report.tables.table import PaperTable
from relattr.statistics.ranks import Ranks

SCORING = (
    "Accuracy in per cent: the share of ordered test pairs whose order is predicted correctly; pairs labelled similar "
    "are not scored, and a predicted tie counts as an error."
)
INTERVAL = (
    "±: half-width of the 95 % confidence interval. The test images are the sampling units, since pairs that share an "
    "image are not independent; "
)
SEEDS = {
    "one": "each method was trained once, so the variation between training runs is not in the interval.",
    "several": "the interval includes the variation between training runs.",
    "mixed": (
        "the interval includes the variation between training runs where there are several seeds, and only there; "
        "numbers of one seed do not include it."
    ),
}
"""How the interval treats the variation between training runs, by the number of seeds."""
BOLD = (
    "Bold: the best of the methods measured on most attributes, splits and seeds, and every method that is not "
    "significantly different from it (paired tests over images, 5 % level, adjusted for all pairs of these methods, "
    "since the best is chosen by the data)."
)

MAX_RANKED = 40
"""With more methods the critical-difference diagram is unreadable and is left out."""


def with_caption(table: PaperTable, opening: str) -> PaperTable:
    """The table with a caption: ``opening``, then how its numbers are to be read."""
    entries = [entry for row in table.rows for entry in row.entries]
    custom_tie_rule = any(entry.custom_tie_rule for entry in entries)
    scoring = f"{SCORING[:-1]}, unless a note states another rule." if custom_tie_rule else SCORING
    sentences = [opening, scoring, sample_sizes(table)]
    if any(entry.measured is not None for entry in entries):
        if any(entry.lower is not None for entry in entries):
            seeds = {entry.n_seeds > 1 for entry in entries if entry.lower is not None}
            kind = "mixed" if len(seeds) > 1 else "several" if True in seeds else "one"
            sentences.append(INTERVAL + SEEDS[kind])
        if any(entry.best for entry in entries):
            sentences.append(BOLD)
    return replace(table, caption=" ".join(sentence for sentence in sentences if sentence))


def sample_size(table: PaperTable, column: int) -> str:
    """The test pairs, images and attributes of a column as text; empty if nothing was measured."""
    entries = [row.entries[column] for row in table.rows if row.entries[column].measured is not None]
    if not entries:
        return ""
    largest = max(entries, key=lambda entry: (entry.n_ordered, entry.n_attributes))
    text = f"n = {largest.n_ordered:,}"
    if largest.n_images:
        text += f", {largest.n_images:,} images"
    return text + (f", {largest.n_attributes} attributes" if largest.n_attributes > 1 else "")


def sample_sizes(table: PaperTable) -> str:
    """The number of test pairs of each column, or their range if there are many columns, as a sentence."""
    sizes = [(column.label, sample_size(table, k)) for k, column in enumerate(table.columns)]
    sizes = [(label, size) for label, size in sizes if size]
    if not sizes:
        return "No results yet."
    if len(sizes) > 4:
        counts = [
            max(entry.n_ordered for row in table.rows if (entry := row.entries[k]).measured is not None)
            for k, column in enumerate(table.columns)
            if sample_size(table, k) and column.key != "mean"
        ]
        span = f"{min(counts):,} to {max(counts):,}" if min(counts) < max(counts) else f"{counts[0]:,}"
        return f"Ordered test pairs per column: {span}."
    return "Ordered test pairs: " + "; ".join(f"{label}: {size}" for label, size in sizes) + "."


def ranks_caption(ranks: Ranks) -> str:
    """The caption of the critical-difference diagram."""
    return (
        f"Average rank over {len(ranks.blocks)} attributes and columns on which every method shown has a result; 1 is "
        "best. A bar joins methods that do not differ significantly: their ranks differ by less than the critical "
        "difference (Nemenyi test, 5 % level). p-value of the hypothesis that all methods are equal: "
        f"{ranks.friedman_p:.2g} (Friedman test, Iman and Davenport's F)."
    )
