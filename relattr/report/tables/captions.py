"""Captions: how accuracy is counted, what ± and bold mean, and on how many pairs it was measured."""

from __future__ import annotations

from dataclasses import replace

from relattr.report.tables.small_tests import size_warnings
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
INTERVAL_ENDS = INTERVAL.replace("interval.", "interval, or [its ends] where it is asymmetric or reaches 0 or 100.")
SEEDS = {
    "one": "each method was trained once, so the variation between training runs is not in the interval.",
    "several": "the interval includes the variation between training runs.",
    "mixed": (
        "the interval includes the variation between training runs, except for numbers of one seed. Where only some "
        "attributes have one seed, their variation is estimated from the others."
    ),
}
"""How the interval treats the variation between training runs, by the number of seeds."""
CROSS_VALIDATED = (
    "cross-validation over images tests each pair once, with a model that has seen neither image, and the interval "
    "takes into account that these models share training images."
)
BOLD = (
    "Bold: the best of the methods measured on most attributes and splits and, of those measured on the same, every "
    "method that is not significantly different from it (paired tests over images, 5 % level, adjusted for all pairs "
    "of these methods, since the best is chosen by the data)."
)

MAX_RANKED = 40
"""With more methods the critical-difference diagram is unreadable and is left out."""


SHORT_INTERVAL = "±: half-width of the 95 % confidence interval over test images."
SHORT_INTERVAL_ENDS = "± or [ends]: the 95 % confidence interval over test images."
SHORT_BOLD = "Bold: the best, and what is not significantly different from it (5 % level)."


def with_caption(table: PaperTable, opening: str) -> PaperTable:
    """The table with its captions: ``opening``, then how its numbers are to be read, in full and in short."""
    entries = [entry for row in table.rows for entry in row.entries]
    custom_tie_rule = any(entry.custom_tie_rule for entry in entries)
    scoring = f"{SCORING[:-1]}, unless a note states another rule." if custom_tie_rule else SCORING
    sentences = [opening, scoring, sample_sizes(table)]
    if any(entry.measured is not None for entry in entries):
        if any(entry.lower is not None for entry in entries):
            seeds = {entry.n_seeds > 1 for entry in entries if entry.lower is not None}
            kind = "mixed" if len(seeds) > 1 else "several" if True in seeds else "one"
            interval = INTERVAL_ENDS if any(entry.shows_ends for entry in entries) else INTERVAL
            folds = any(entry.cross_validated for entry in entries)
            sentences.append(interval + (CROSS_VALIDATED if folds and kind == "one" else SEEDS[kind]))
            sentences += [CROSS_VALIDATED.capitalize()] if folds and kind != "one" else []
        if any(entry.best for entry in entries):
            sentences.append(BOLD)
    if table.benchmark_settings:
        sentences.append(f"Parameters of the benchmark: {', '.join(table.benchmark_settings)}.")
    sentences += [f"Settings of all methods that have them: {', '.join(table.settings)}."] if table.settings else []
    return replace(
        table,
        warnings=size_warnings(table),
        caption=" ".join(sentence for sentence in sentences if sentence),
        short_caption=" ".join(_short_sentences(table, opening)),
    )


def _short_sentences(table: PaperTable, opening: str) -> list[str]:
    """The sentences of a caption for a paper."""
    entries = [entry for row in table.rows for entry in row.entries]
    sentences = [opening, "Accuracy in per cent."]
    if table.settings:
        sentences.append(f"Settings: {', '.join(table.settings)}.")
    if any(entry.lower is not None for entry in entries):
        sentences.append(SHORT_INTERVAL_ENDS if any(entry.shows_ends for entry in entries) else SHORT_INTERVAL)
    if any(entry.cross_validated for entry in entries):
        sentences.append("Cross-validated over images.")
    if any(entry.best for entry in entries):
        sentences.append(SHORT_BOLD)
    return sentences


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
