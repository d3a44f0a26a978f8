"""Rank correlations in tables: their intervals, and when there is none."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from relattr.pairs import Pairs
from relattr.report.formats.csv import table_to_csv
from relattr.report.formats.files import write_table
from relattr.report.formats.latex.correlations import correlations_to_latex
from relattr.report.formats.latex.macros import macros_to_latex
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.text import table_to_text
from relattr.statistics import spearman
from relattr.statistics.correlation_interval import CorrelationSample, estimate_correlation


@pytest.fixture
def scored(synthetic):
    """Synthetic results on all pairs of scored images."""
    scores = np.random.default_rng(5).standard_normal(synthetic.n_images)
    synthetic.pairs = lambda dataset, attribute: (scores, Pairs.from_scores(scores, seed=3))

    def add(method, seed=0, shift=0.0, **fields):
        result = synthetic.add(method, "a", "x", seed, **fields)
        strengths = synthetic.store.arrays(result).strengths["test"]
        value = spearman(strengths, scores)
        synthetic.add(method, "a", "x", seed, spearman=value + shift, **fields)
        return CorrelationSample("x", strengths, scores, np.arange(scores.size))

    synthetic.add_scored = add
    return synthetic


def test_the_interval_is_that_of_the_stored_strengths(scored):
    expected = estimate_correlation([scored.add_scored("m", seed, noise=0.7) for seed in range(3)])
    entry = scored.entry("m")
    assert entry.spearman == pytest.approx(expected.value)
    assert (entry.spearman_lower, entry.spearman_upper) == pytest.approx((expected.lower, expected.upper))


def test_every_format_shows_it(scored, column, tmp_path):
    scored.add_scored("m", noise=0.7)
    table = scored.table(["m"], [column])
    entry = table.rows[0].entries[0]
    text = f"{entry.spearman:.3f} [{entry.spearman_lower:.3f}, {entry.spearman_upper:.3f}]"
    assert text in table_to_text(table)
    assert text.replace("[", r"\[").replace("]", r"\]") in table_to_markdown(table)
    (line,) = csv.DictReader(io.StringIO(table_to_csv(table)))
    assert float(line["spearman_low"]) == pytest.approx(entry.spearman_lower, abs=1e-6)
    write_table(table, tmp_path)
    assert text in (tmp_path / f"{table.name}-correlations.tex").read_text()


def test_negative_correlations_have_a_minus_in_latex(scored, column):
    scored.add_scored("m", noise=0.7)
    table = scored.table(["m"], [column])
    row = table.rows[0]
    entry = replace(row.entries[0], spearman=-1.0, spearman_lower=-0.5, spearman_upper=-0.25)
    table = replace(table, rows=(replace(row, entries=(entry,)),))
    assert "$-$1.000 [$-$0.500, $-$0.250]" in correlations_to_latex(table)
    assert r"spearman-low}{\ensuremath{-}0.500}" in macros_to_latex([table])


def test_a_table_without_correlations_removes_the_earlier_file(synthetic, column, tmp_path):
    synthetic.add("m", "a", "x")
    table = synthetic.table(["m"], [column])
    (tmp_path / f"{table.name}-correlations.tex").write_text("of earlier results")
    write_table(table, tmp_path)
    assert not (tmp_path / f"{table.name}-correlations.tex").exists()
    assert "Spearman" not in table_to_text(table)


def test_no_interval_where_the_scores_are_unknown(synthetic):
    synthetic.add("m", "a", "x", spearman=0.5)  # its pairs are a sample
    entry = synthetic.entry("m")
    assert (entry.spearman, entry.spearman_lower) == (0.5, None)


def test_no_interval_for_the_correlation_of_other_scores(scored):
    scored.add_scored("m", noise=0.7, shift=0.01)
    assert scored.entry("m").spearman_lower is None
    assert scored.entry("m").lower is not None
