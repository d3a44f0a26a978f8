"""The published numbers as data."""

import msgspec
import pytest

from relattr.errors import BadInput
from relattr.harness.benchmark import ColumnSpec
from relattr.report.tables.published import (
    HEADER,
    RELIABILITY,
    is_published_constant,
    published_in_column,
    published_mean,
    published_number,
    published_numbers,
    published_rows,
    read_published,
)


def test_published_means_are_the_means_of_the_attributes():
    """To rounding: a check of every number that is published attribute by attribute."""
    groups = {}
    for number in published_numbers():
        if number.attribute and number.reliability in "PV":
            key = number.table, number.source, number.row, number.column
            groups.setdefault(key, []).append(number.accuracy)
    n_checked = 0
    for (table, source, row, column), values in groups.items():
        means = [
            n.accuracy
            for n in published_numbers()
            if not n.attribute and (n.row, n.column, n.table) == (row, column, table) and (table or n.source == source)
        ]
        if means:
            n_checked += 1
            assert sum(values) / len(values) == pytest.approx(means[0], abs=0.02), (row, column)
    assert n_checked >= 25


def test_all_tables_of_the_paper_are_present():
    assert {number.table for number in published_numbers()} == {"table1", "table2", "table3", "table4", ""}
    assert published_number("table1", "SVM + Deep Attributes-5", "Viral-RandomPairs").accuracy == 68.10
    assert "leak" in published_number("table1", "SVM + Deep Attributes-5", "Viral-RandomPairs").protocol
    assert published_number("table3", "ViralNet-C", "UT-Zap50K-1").accuracy is None
    assert published_number("table3", "End-to-End Localization", "OSR", "natural").accuracy == 98.89
    assert published_number("table9", "x", "y") is None


def test_rows_that_cannot_be_measured_are_constants():
    assert is_published_constant("table1", "Human")
    assert not is_published_constant("table1", "SVM + Deep Attributes-5")
    assert not is_published_constant("table1", "ViralNet")


def test_corrected_values():
    """Read again in the papers that print them."""
    rows = {row.label: row for row in published_rows("PubFig", ["RoundFace"])}
    printed = rows["RankSVM, GIST and colour"].numbers
    assert (printed["RoundFace"].accuracy, printed[""].accuracy) == (82.33, 80.56)
    assert rows["Local pairs with ITML (FG-LocalPair)"].numbers["RoundFace"].accuracy == 86.70


def test_rows_by_attribute_name_their_source():
    rows = published_rows("OSR", ["natural", "open"])
    assert len(rows) >= 6
    assert all(row.notes and set(row.numbers) - {""} for row in rows)
    assert published_rows("nothing", ["x"]) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s,t,r,c,,101,,S,,no,,https://x", "line 2: '101' is not a percentage"),
        ("s,t,r,c,,x,,S,,no,,https://x", "line 2: 'x' is not a percentage"),
        ("s,t,r,c,,50,,Z,,no,,https://x", "reliability is 'Z'"),
        ("s,t,r,c,,50,,S,,perhaps,,https://x", "expected yes or no"),
        ("s,t,r,c,,50,,S,,no,,page 3", "source_url is 'page 3'; expected an https address"),
        ("s,t,r,c,,50,,S,,no,,https://x\ns,t,r,c,,51,,S,,no,,https://x", "line 3: .* is given twice"),
    ],
)
def test_invalid_lines_are_named(tmp_path, line, message):
    path = tmp_path / "published.csv"
    path.write_text(",".join(HEADER) + "\n" + line + "\n")
    with pytest.raises(BadInput, match=message):
        read_published(path)


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("a,b\n")
    with pytest.raises(BadInput, match="expected"):
        read_published(path)


def test_the_number_of_a_column_is_of_what_it_shows():
    mean = ColumnSpec(label="All", dataset="lfw10", attribute="*", published="LFW-10")
    bald = ColumnSpec(label="Bald", dataset="lfw10", attribute="baldhead", published="LFW-10")
    row = "Parikh and Grauman + CNN"
    assert published_in_column("table3", row, mean).accuracy == 74.61
    assert published_in_column("table3", row, bald) == published_in_column("table3", row, mean, "baldhead")
    assert published_in_column("table3", row, bald).accuracy == 78.10
    assert published_in_column("table3", row, msgspec.structs.replace(bald, attribute="unpublished")) is None


def test_a_published_mean_needs_every_attribute():
    column = ColumnSpec(label="LFW-10", dataset="lfw10", attribute="*")
    row = "Parikh and Grauman + CNN"
    numbers = [published_number("table3", row, "LFW-10", attribute) for attribute in ("baldhead", "smile")]
    mean = published_mean("table3", row, column, ["baldhead", "smile"])
    assert mean.accuracy == pytest.approx(sum(number.accuracy for number in numbers) / 2)
    assert mean.reliability == max((n.reliability for n in numbers), key=list(RELIABILITY).index)
    assert published_mean("table3", row, column, ["baldhead", "unpublished"]) is None
    assert published_mean("table3", row, column, []) is None
