"""CSV, Markdown and plain text of a table."""

import csv
import io
import re

import pytest

from relattr.report.formats.csv import table_to_csv
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.text import table_to_text


def test_csv_has_full_precision(synthetic, column, entry_of):
    for seed in range(3):
        synthetic.add("m", "a", "x", seed, noise=0.6)
    table = synthetic.table(["m"], [column])
    (line,) = csv.DictReader(io.StringIO(table_to_csv(table)))
    entry = entry_of(table, "m")
    assert float(line["measured_percent"]) == pytest.approx(entry.measured, abs=1e-6)
    assert float(line["low_percent"]) == pytest.approx(entry.lower, abs=1e-6)
    assert float(line["error_seeds_points"]) == pytest.approx(entry.seed_standard_error, abs=1e-6)


def test_csv_has_no_formulas(synthetic, column):
    synthetic.add("m", "a", "x", label="=HYPERLINK(1)")
    assert "'=HYPERLINK" in table_to_csv(synthetic.table(["m"], [column]))


def test_rank_correlations_of_columns_that_have_them(synthetic, two_columns):
    for attribute, value in (("x", 0.2), ("y", 0.6)):
        synthetic.add("m", "a", attribute, spearman=value)
        synthetic.add("none", "a", attribute)
    table = synthetic.table(["m", "none"], two_columns)
    in_csv = [line for line in csv.DictReader(io.StringIO(table_to_csv(table))) if line["column"] == "A"]
    assert {line["method"]: line["spearman"] for line in in_csv} == {"m": "0.400000", "none": ""}
    markdown = table_to_markdown(table).partition("## Rank correlation")[2]
    assert re.findall(r"^\| m .*$", markdown, re.M) == ["| m | 0.400 |"]  # column B has none
    assert "| none" not in markdown


def test_labels_with_markup_are_kept_or_escaped(synthetic, two_columns):
    label = "a_b & <script> [bold]x[/bold] :smile:"
    synthetic.add("one", "a", "x", label=label, noise=0.1)
    synthetic.add("m", "a", "x", noise=4.0)
    table = synthetic.table(["one", "m"], two_columns)
    assert r"a\_b \& \<script\>" in table_to_markdown(table)
    assert label in table_to_csv(table)
    assert label in table_to_text(table)


@pytest.mark.parametrize("columns", ["20", "500"])
def test_text_is_not_wrapped_to_the_terminal(synthetic, column, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    label = " ".join(["a method with a long name"] * 5)
    synthetic.add("m", "a", "x", label=label)
    lines = table_to_text(synthetic.table(["m"], [column])).splitlines()
    (row,) = [line for line in lines if label in line]
    assert re.fullmatch(rf"{label} \(a\) +\d\d\.\d\d \[\d\d\.\d, \d\d\.\d\]", row)
