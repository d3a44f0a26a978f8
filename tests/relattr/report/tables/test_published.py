"""The published numbers as data."""

import pytest

from relattr.errors import BadInput
from relattr.report.tables.published import HEADER, published_numbers, is_published_constant, published_rows, published_number, read_published


def test_means_of_the_attributes_are_the_published_means():
    """The means that the paper prints are those of the numbers behind them, to rounding."""
    checked = 0
    groups = {}
    for fact in published_numbers():
        if fact.attribute and fact.reliability in "CV":
            groups.setdefault((fact.table, fact.source, fact.row, fact.column), []).append(fact.accuracy)
    for (table, source, row, column), values in groups.items():
        means = [
            f.accuracy
            for f in published_numbers()
            if not f.attribute and (f.row, f.column, f.table) == (row, column, table) and (table or f.source == source)
        ]
        if means:
            checked += 1
            assert sum(values) / len(values) == pytest.approx(means[0], abs=0.02), (row, column)
    assert checked >= 9


def test_every_table_is_there_and_constants_are_marked():
    assert {f.table for f in published_numbers()} == {"table1", "table2", "table3", "table4", ""}
    assert published_number("table1", "SVM + Deep Attributes-5", "Viral-RandomPairs").accuracy == 68.10
    assert "leak" in published_number("table1", "SVM + Deep Attributes-5", "Viral-RandomPairs").protocol
    assert published_number("table3", "ViralNet-C", "UT-Zap50K-1").accuracy is None
    assert published_number("table3", "End-to-End Localization", "OSR", "natural").accuracy == 98.89
    assert published_number("table9", "x", "y") is None
    assert is_published_constant("table1", "Human")
    assert not is_published_constant("table1", "ViralNet")


def test_rows_behind_a_column_name_their_source():
    found = published_rows("OSR", ["natural", "open"])
    assert len(found) >= 6
    assert all(texts and set(facts_) - {""} for _, texts, facts_ in found)
    assert published_rows("nothing", ["x"]) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("s,t,r,c,,101,,S,,no,", "not a percentage"),
        ("s,t,r,c,,x,,S,,no,", "not a percentage"),
        ("s,t,r,c,,50,,Z,,no,", "reliability 'Z'"),
        ("s,t,r,c,,50,,S,,perhaps,", "expected yes or no"),
        ("s,t,r,c,,50,,S,,no,\ns,t,r,c,,51,,S,,no,", "given twice"),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, why):
    path = tmp_path / "published.csv"
    path.write_text(",".join(HEADER) + "\n" + line + "\n")
    with pytest.raises(BadInput, match=why):
        read_published(path)
    path.write_text("a,b\n")
    with pytest.raises(BadInput, match="expected"):
        read_published(path)
