"""Entries: measured and published numbers, and a status where a number is missing."""

import numpy as np
import pytest

from relattr import Dataset
from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.registry import Plugin
from relattr.report.tables.entry import reproduction_verdict


def test_mean_over_attributes_and_seeds(synthetic, mean_column, entry_of):
    results = [synthetic.add("m", "a", attribute, seed) for attribute in ("x", "y") for seed in (0, 1)]
    table = synthetic.table(["m"], [mean_column])
    entry = entry_of(table, "m")
    means = [np.mean([r.tests[0].accuracy for r in results if r.cell.attribute == a]) for a in ("x", "y")]
    assert entry.measured == pytest.approx(100 * np.mean(means))
    assert entry.lower < entry.measured < entry.upper
    assert (entry.n_ordered, entry.n_attributes, entry.n_seeds) == (450, 2, 2)
    assert entry.seconds == pytest.approx(2 * 2.5)
    assert table.attribute_tables[0].rows[0].entries[0].measured == pytest.approx(100 * means[0])


def test_time_is_a_mean_over_seeds_of_each_attribute(synthetic, mean_column, entry_of):
    for seed in (0, 1, 2):
        synthetic.add("m", "a", "x", seed, seconds_fit=float(seed), seconds_compare=1.0)
    synthetic.add("m", "a", "y", 0, seconds_fit=8.0, seconds_compare=1.0)
    assert entry_of(synthetic.table(["m"], [mean_column]), "m").seconds == pytest.approx(2.0 + 9.0)


def test_rank_correlation_is_a_mean_over_all_attributes(synthetic, mean_column, entry_of):
    for attribute, value in (("x", 0.2), ("y", 0.6)):
        synthetic.add("all", "a", attribute, spearman=value)
        synthetic.add("none", "a", attribute)
    synthetic.add("part", "a", "x", spearman=0.5)
    synthetic.add("part", "a", "y")
    table = synthetic.table(["all", "none", "part"], [mean_column])
    assert entry_of(table, "all").spearman == pytest.approx(0.4)
    assert entry_of(table, "none").spearman is None
    assert entry_of(table, "part").spearman is None


def test_variation_of_images_and_of_seeds(synthetic):
    for seed in range(3):
        synthetic.add("m", "a", "x", seed, noise=0.6)
    entry = synthetic.entry("m")
    accuracies = [100 * result.tests[0].accuracy for result in synthetic.store]
    assert entry.seed_spread == pytest.approx(np.std(accuracies, ddof=1))
    assert entry.seed_standard_error == pytest.approx(np.std(accuracies, ddof=1) / 3**0.5)
    assert 0 < entry.image_standard_error < 10


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


@pytest.mark.parametrize(
    ("interval", "published", "comparable", "verdict"),
    [
        ((85.0, 87.0), 86.9, True, "reproduced"),
        ((80.0, 91.0), 86.9, True, "within noise"),
        ((85.0, 87.0), 90.0, True, "not reproduced"),
        ((85.9, 86.1), 86.4, True, "reproduced"),
        ((85.0, 87.0), 86.0, False, "not comparable"),
        ((None, None), 86.0, True, "not judged"),
    ],
)
def test_verdicts(interval, published, comparable, verdict):
    assert reproduction_verdict(86.0, *interval, published, comparable) == verdict


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
