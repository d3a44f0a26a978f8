"""Small test sets: nothing is called the best where chance is among the best, interval ends, warnings."""

import numpy as np
import pytest

from relattr.harness.benchmark import ColumnSpec
from relattr.report.formats.csv import table_to_csv
from relattr.report.formats.latex.table import comparison_to_latex, table_to_latex
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.text import table_to_text
from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.significance import CHANCE
from relattr.report.tables.small_tests import AS_GUESSING, size_warnings
from relattr.report.tables.table import PaperTable, TableRow

COLUMNS = tuple(ColumnSpec(label=attribute, dataset="a", attribute=attribute) for attribute in "pqrs")


@pytest.fixture
def table_of(synthetic, plugins):
    """Make a table of two methods with this noise, and of guessing, on some attributes."""

    def make(noise, n_pairs=40, columns=COLUMNS):
        synthetic.registry, synthetic.n_images, synthetic.n_pairs = plugins, 30, n_pairs
        for column in columns:
            for method in ("one", "two"):
                synthetic.add(method, "a", column.attribute, noise=noise)
            synthetic.add("chance", "a", column.attribute, noise=1e6)
        return synthetic.table(["one", "two", "chance"], columns)

    return make


def formats(table):
    return [table_to_text(table), table_to_markdown(table), table_to_latex(table), comparison_to_latex(table)]


@pytest.mark.parametrize("noise", [0.1, 1.0, 3.0, 1e6])
def test_nothing_is_best_that_is_not_better_than_guessing(table_of, noise):
    table = table_of(noise)
    chance = next(row for row in table.rows if row.label == "Chance")
    n_decided = 0
    for k in range(len(COLUMNS)):
        entries = [row.entries[k] for row in table.rows if row is not chance]
        highest = max(entries, key=lambda entry: entry.measured)
        assert not chance.entries[k].best
        assert chance.entries[k].p_best is None
        if any(entry.best for entry in entries):
            n_decided += 1
            assert highest.best
            assert highest.lower > CHANCE
    assert n_decided == {0.1: 4, 1e6: 0}.get(noise, n_decided)


def test_an_undecided_table_has_no_mark_in_any_format(table_of):
    table = table_of(1e6)
    text, markdown, latex, comparison = formats(table)
    assert "*" not in text.replace("**", "*")
    assert "Star:" not in text
    assert "**" not in markdown.replace("**Warning.**", "")
    assert r"\bfseries" not in latex + comparison
    assert ",yes," not in table_to_csv(table)
    assert f"Nothing is marked as the best, because {AS_GUESSING}" in table.warnings


def test_lucky_guesses_are_seldom_the_best(synthetic, plugins):
    synthetic.registry, synthetic.n_images, synthetic.n_pairs = plugins, 40, 60
    names = ["q" * k for k in range(1, 101)]  # the random numbers of an attribute follow from the sum of its letters
    columns = tuple(ColumnSpec(label=name, dataset="a", attribute=name) for name in names)
    methods = ["one", "two", "three", "four"]
    for column in columns:
        for method in methods:
            synthetic.add(method, "a", column.attribute, noise=1e6)
    table = synthetic.table(methods, columns)
    entries = [[row.entries[k] for row in table.rows] for k in range(len(columns))]
    assert sum(any(entry.lower > CHANCE for entry in column) for column in entries) > 4  # of 400 intervals
    assert sum(any(entry.best for entry in column) for column in entries) <= 6


def test_guesses_change_no_mark(synthetic, plugins):
    synthetic.registry, synthetic.n_images, synthetic.n_pairs = plugins, 30, 40
    marks = []
    for seeds in ((), (0,), (0, 1)):
        for column in COLUMNS:
            for method, noise in (("one", 0.5), ("two", 3.0)):
                synthetic.add(method, "a", column.attribute, noise=noise)
            for seed in seeds:
                synthetic.add("chance", "a", column.attribute, noise=1e6, seed=seed)
        table = synthetic.table(["one", "two", "chance"], COLUMNS)
        of_others = [row for row in table.rows if row.label != "Chance"]
        marks.append([[(entry.best, entry.p_best) for entry in row.entries] for row in of_others])
    assert marks[0] == marks[1] == marks[2]
    assert any(best for row in marks[0] for best, _ in row)


def test_some_columns_are_undecided(table_of):
    table = table_of(0.1)
    decided = [any(row.entries[k].best for row in table.rows) for k in range(len(COLUMNS))]
    assert all(decided)
    assert not any("Nothing is marked" in warning for warning in table.warnings)


def test_the_reason_is_that_of_the_method_on_most_tasks():
    whole = TableEntry(measured=60.0, lower=40.0, upper=80.0, n_ordered=500, n_tasks=2)
    part = TableEntry(measured=90.0, lower=85.0, upper=95.0, n_ordered=500, n_tasks=1)
    rows = (TableRow("whole", "whole", (whole,)), TableRow("part", "part", (part,)))
    table = PaperTable("t", "T", "", (TableColumn("c", "c"),), rows)
    assert size_warnings(table) == (f"Nothing is marked as the best, because {AS_GUESSING}",)


def test_few_pairs_are_a_warning_in_every_format(table_of):
    table = table_of(1.0)
    n = table.rows[0].entries[0].n_ordered
    assert n < 100
    first = table.warnings[0]
    assert first.startswith(f"p: only {n} ordered test pairs; the interval of ")
    entry = max((row.entries[0] for row in table.rows), key=lambda e: e.measured)
    times = (entry.half_width / 5) ** 2
    assert f"give about {times:.{1 if times < 3 else 0}f} times as many comparisons" in first
    for content in formats(table)[:3]:
        assert f"only {n} ordered test pairs" in content
    assert "WARNING: p: only" in formats(table)[0]


def test_enough_pairs_are_no_warning(table_of):
    table = table_of(0.1, n_pairs=112)  # nine in ten are ordered
    assert table.rows[0].entries[0].n_ordered >= 100
    assert table.warnings == ()


@pytest.mark.parametrize(
    ("measured", "lower", "upper", "spread"),
    [
        (80.0, 77.0, 83.0, "± 3.0"),
        (80.0, 77.4, 82.4, "± 2.5"),
        (80.0, 71.1, 86.7, "[71.1, 86.7]"),
        (50.0, 0.0, 100.0, "[0.0, 100.0]"),
        (99.0, 98.0, 100.0, "[98.0, 100.0]"),
        (97.0, 94.03, 99.97, "[94.0, 100.0]"),
        (97.0, 94.1, 99.9, "± 2.9"),
        (100.0, 91.2, 100.0, "[91.2, 100.0]"),
        (50.0, None, None, ""),
    ],
)
def test_interval_ends_replace_a_misleading_half_width(measured, lower, upper, spread):
    assert TableEntry(measured=measured, lower=lower, upper=upper).spread == spread


def test_the_half_width_is_at_most_a_tenth_off():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        lower, measured, upper = np.sort(rng.uniform(0, 100, 3))
        entry = TableEntry(measured=measured, lower=lower, upper=upper)
        if entry.spread.startswith("±"):
            half = entry.half_width
            assert max(abs(measured - half - lower), abs(measured + half - upper)) <= 0.1 * half + 1e-9


def test_every_format_shows_the_ends(table_of):
    table = table_of(1.0)
    entry = table.rows[0].entries[0]
    assert entry.shows_ends
    ends = f"[{entry.lower:.1f}, {entry.upper:.1f}]"
    text, markdown, latex, comparison = formats(table)
    assert ends in text
    assert ends.replace("[", r"\[").replace("]", r"\]") in markdown
    assert f"{entry.lower:.2f}--{entry.upper:.2f}" in comparison
    assert f"{entry.lower:.6f},{entry.upper:.6f}" in table_to_csv(table)
    assert "or [its ends] where it is asymmetric" in table.caption
    latex = table_to_latex(table_of(1.0, columns=COLUMNS[:2]))
    assert rf"{{\scriptsize {{{ends}}}}}" in latex
