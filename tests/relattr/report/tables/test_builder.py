"""Tables: columns, attribute tables and ranks; independent of the order of the results."""

import re

from relattr.harness.benchmark import ColumnSpec
from relattr.report.formats.csv import table_to_csv
from relattr.report.formats.files import write_tables
from relattr.report.formats.latex.macros import macros_to_latex
from relattr.report.formats.latex.table import comparison_to_latex, table_to_latex
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.text import table_to_text

FORMATS = table_to_latex, comparison_to_latex, table_to_csv, table_to_markdown, table_to_text


def test_an_empty_store_gives_a_table_without_numbers(synthetic, two_columns):
    table = synthetic.table(["m"], two_columns)
    assert "No results yet." in table.caption
    for to_format in FORMATS:
        assert "nan" not in to_format(table).lower()


def test_attribute_tables_end_with_the_mean(synthetic, mean_column):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    (inner,) = synthetic.table(["m"], [mean_column]).attribute_tables
    assert [column.label for column in inner.columns] == ["x", "y", "Mean"]


def test_similar_attribute_names_have_different_keys(synthetic, mean_column):
    for attribute in ("big smile", "big-smile", "开放", "自然", "mean"):
        synthetic.add("m", "a", attribute)
    table = synthetic.table(["m"], [mean_column])
    keys = [column.key for column in table.attribute_tables[0].columns]
    assert len(set(keys)) == 6
    assert keys[-1] == "mean"
    macros = re.findall(r"\\relattrnumber\{([^}]*)\}", macros_to_latex([table]))
    assert len(macros) == len(set(macros))


def test_ranked_rows_with_the_same_label_are_told_apart(synthetic):
    for k, method in enumerate(("good", "bad", "third")):
        for dataset in ("a", "b"):
            for attribute in ("x", "y"):
                synthetic.add(method, dataset, attribute, noise=0.1 + 2 * k, label="The same")
    columns = [ColumnSpec(label="Mine", dataset="a"), ColumnSpec(label="Not mine", dataset="b")]
    ranks = synthetic.table(["good", "bad", "third"], columns).ranks
    assert len(ranks.methods) == 3
    assert ranks.methods[0] == "The same (good)"
    assert set(ranks.blocks) == {"Mine x", "Mine y", "Not mine x", "Not mine y"}


def test_one_column_without_attributes_is_not_ranked(synthetic, column):
    for method in ("m", "n"):
        synthetic.add(method, "a", "x")
    assert synthetic.table(["m", "n"], [column]).ranks is None


def test_files_do_not_depend_on_the_order_of_results(synthetic, two_columns, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no pdflatex: that the PDF is the same is tested elsewhere
    cells = [(method, dataset, "x") for method in ("m", "n") for dataset in ("a", "b")]
    other = type(synthetic)(tmp_path / "other")
    contents = []
    for results, order in ((synthetic, cells), (other, cells[::-1])):
        for cell in order:
            results.add(*cell)
        paths = write_tables([results.table(["m", "n"], two_columns)], results.store.folder.with_suffix(".out"))
        contents.append({path.name: path.read_bytes() for path in paths})
    assert contents[0] == contents[1]


def test_the_caption_has_the_parameters_of_the_benchmark(synthetic, mean_column):
    for attribute in ("x", "y"):
        synthetic.add("one", "a", attribute)
    table = synthetic.table(["one"], [mean_column], set={"preset": "fast", "one.rate": 0.1})
    for each in table.all_tables:
        assert "Parameters of the benchmark: preset=fast, one.rate=0.1." in each.caption
        assert "preset" not in each.short_caption
    assert "Parameters of the benchmark" not in synthetic.table(["one"], [mean_column]).caption
