"""Which results and which published number an entry has, and its status where there is none."""

import pytest

from relattr import Dataset
from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.registry import Plugin


def test_a_failed_result_gives_status_and_reason(synthetic, two_columns, entry_of):
    synthetic.add("m", "a", "x")
    synthetic.add("broken", "a", "x", status="failed", reason="ValueError: 100% of {this}\nmore")
    table = synthetic.table(["broken", "m"], two_columns)
    assert [row.label for row in table.rows] == ["broken", "m"]
    assert entry_of(table, "broken").status == "failed"
    assert entry_of(table, "broken").notes == ("failed: ValueError: 100% of {this}",)


def test_deleted_results_are_not_run(synthetic, two_columns, entry_of):
    for method in ("m", "n"):
        for attribute in ("x", "y"):
            synthetic.add(method, "a", attribute)
        synthetic.add(method, "b", "x")
    deleted = synthetic.add("n", "a", "y")
    synthetic.store.path(deleted.cell).unlink()
    synthetic.store.path(deleted.cell).with_suffix(".npz").unlink()
    table = synthetic.table(["m", "n"], two_columns)
    assert entry_of(table, "m").n_attributes == 2
    assert entry_of(table, "n", 1).measured is not None
    entry = synthetic.entry("n", attribute="y")
    assert (entry.measured, entry.status) == (None, "not run")


def test_an_attribute_without_results_is_not_run(synthetic, entry_of):
    synthetic.add("m", "a", "x")
    synthetic.add("n", "a", "y")
    columns = [ColumnSpec(label=attribute, dataset="a", attribute=attribute) for attribute in ("x", "y")]
    entry = entry_of(synthetic.table(["m", "n"], columns), "m", 1)
    assert entry.status == "not run"
    assert not any("not evaluated" in note for note in entry.notes)


def test_a_row_without_a_method_is_not_run(synthetic, two_columns, entry_of):
    table = synthetic.table(["m"], two_columns)
    assert entry_of(table, "m").notes == ("not run: no installed method provides this row",)


@pytest.mark.parametrize("error", [None, OSError("a disk that failed")])
def test_attributes_come_from_results_if_the_dataset_lists_none(synthetic, mean_column, entry_of, error):
    class FromFiles(Dataset):
        """Its attributes are read from its files, which are missing."""

        def attributes(self):
            if error is not None:
                raise error
            return ()

        def missing(self):
            return "its files are missing"

    result = synthetic.add("m", "a", "x")
    synthetic.registry.datasets["a"] = Plugin("a", "A", FromFiles, {})
    entry = entry_of(synthetic.table(["m"], [mean_column]), "m")
    assert entry.measured == pytest.approx(100 * result.tests[0].accuracy)


# ---------------------------------------------------------------------------------------------- published numbers


def test_published_constants_are_quoted_with_the_reason(synthetic):
    rows = (RowSpec("human", "Human"), RowSpec("viralnet", "ViralNet"))
    columns = [ColumnSpec(label="Viral-Pairs", dataset="viral"), ColumnSpec(label="Viral-RandomPairs", dataset="viral")]
    human, viralnet = (row.entries[0] for row in synthetic.table([], columns, rows, "table1").rows)
    assert (human.published, human.constant, human.status) == (71.76, True, "published")
    assert any("published, not measured here" in note for note in human.notes)
    assert viralnet.status == "not run"


def test_difference_from_the_published_number(synthetic, entry_of):
    synthetic.add("viralnet", "lfw10", "smile", noise=0.1, label="ViralNet")
    rows = (RowSpec("viralnet", "End-to-End Localization"),)
    table = synthetic.table([], [ColumnSpec(label="LFW-10", dataset="lfw10")], rows, "table3")
    entry = entry_of(table, "ViralNet")
    assert entry.published == 86.91
    assert entry.difference == pytest.approx(entry.measured - 86.91)


def test_a_published_mean_is_not_that_of_one_attribute(synthetic, entry_of):
    synthetic.add("m", "a", "baldhead")
    columns = [
        ColumnSpec(label="Bald", dataset="a", attribute="baldhead", published="LFW-10"),
        ColumnSpec(label="Unpublished", dataset="a", attribute="x", published="LFW-10"),
        ColumnSpec(label="All", dataset="a", attribute="*", published="LFW-10"),
    ]
    table = synthetic.table(["m"], columns, [RowSpec("m", published="Parikh and Grauman + CNN")], "table3")
    assert [entry_of(table, "m", k).published for k in range(3)] == [78.10, None, 74.61]


def test_a_column_published_as_one_number_has_it(synthetic, entry_of):
    synthetic.add("m", "a", "baldhead")
    column = ColumnSpec(label="V", dataset="a", attribute="baldhead", published="Viral-Pairs")
    table = synthetic.table(["m"], [column], [RowSpec("m", published="ViralNet")], "table4")
    assert entry_of(table, "m").published == 76.20


def test_a_method_without_pixels_does_not_lack_images(synthetic, plugins, column, entry_of):
    class WithoutImages(Dataset):
        """Its annotations exist, its images do not."""

        def attributes(self):
            return ("x",)

        def missing(self):
            return "no images"

        def missing_labels(self):
            return None

    plugins.datasets["a"] = Plugin("a", "A", WithoutImages, {})
    try:
        table = synthetic.table(["chance", "ranksvm-gist"], [column], registry=plugins)
    finally:
        del plugins.datasets["a"]
    assert entry_of(table, "Chance").notes == ("not run",)
    assert "the files of a are missing" in entry_of(table, "RankSVM + GIST").notes[0]
