"""Tables show what was chosen and nothing else, with and without the plugins."""

import pytest

from relattr import UnknownName
from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.harness.result_selection import ResultSelection
from relattr.registry import Registry
from relattr.report.tables.builder import build_table
from relattr.report.tables.column_selection import select_columns


@pytest.fixture
def shown(synthetic, make_benchmark):
    """(labels of rows, labels of columns) of a table of two methods on two datasets, under a selection."""
    for method in ("m", "n", "extra"):
        for dataset in ("a", "b"):
            for attribute in ("x", "y"):
                synthetic.add(method, dataset, attribute)
    columns = [ColumnSpec(label="A", dataset="a"), ColumnSpec(label="B", dataset="b")]
    benchmark = make_benchmark(["m", "n", "later"], columns)

    def select(registry=None, **options):
        selection = ResultSelection(**options)
        registry = registry or Registry()
        chosen = select_columns(benchmark, registry, synthetic.store, selection)
        table = build_table(chosen, registry, synthetic.store, selection=selection)
        return [row.label for row in table.rows], [column.label for column in table.columns]

    return select


def test_without_a_choice_everything_is_shown(shown):
    assert shown() == (["m", "n", "later", "extra"], ["A", "B"])


@pytest.mark.parametrize(
    ("options", "rows", "columns"),
    [
        ({"methods": ["n"]}, ["n"], ["A", "B"]),
        ({"methods": ["*t*r*"]}, ["later", "extra"], ["A", "B"]),
        ({"datasets": ["b"]}, ["m", "n", "later", "extra"], ["B"]),
        ({"attributes": ["y"]}, ["m", "n", "later", "extra"], ["A: y", "B: y"]),
        ({"methods": ["m"], "datasets": ["a"], "attributes": ["x"]}, ["m"], ["A: x"]),
    ],
)
def test_what_is_chosen_is_shown(shown, plugins, options, rows, columns):
    assert shown(**options) == (rows, columns)
    assert shown(plugins, **options) == (rows, columns)


@pytest.mark.parametrize("option", ["methods", "datasets", "attributes"])
def test_a_pattern_without_a_match_is_an_error(shown, option):
    with pytest.raises(UnknownName, match="nothing-like-it"):
        shown(**{option: ["nothing-like-it"]})


def test_an_attribute_stands_beside_its_own_published_number(synthetic, make_benchmark, plugins):
    synthetic.add("viralnet", "lfw10", "smile")
    columns = [ColumnSpec(label="LFW-10", dataset="lfw10"), ColumnSpec(label="UT-Zap50K-1", dataset="zappos")]
    rows = (RowSpec("viralnet", "End-to-End Localization"), RowSpec("viralnet-m", "ViralNet-M"))
    benchmark = make_benchmark([], columns, rows, "table3")
    selection = ResultSelection(attributes=["smile"])
    chosen = select_columns(benchmark, plugins, synthetic.store, selection)
    table = build_table(chosen, plugins, synthetic.store, selection=selection)
    whole = build_table(benchmark, plugins, synthetic.store)
    by_attribute = whole.attribute_tables[0]
    place = [column.label for column in by_attribute.columns].index("smile")
    assert table.rows[0].entries[0].published == by_attribute.rows[0].entries[place].published
    assert table.rows[1].entries[0].published is None  # only its mean over ten attributes is published


def test_only_the_parameters_of_a_run_are_shown(synthetic, make_benchmark, column):
    from relattr.harness.result_selection import variant_key

    results = [synthetic.add("m", "a", "x", parameters={"rate": rate}) for rate in (1, 2)]
    benchmark = make_benchmark(["m"], [column])
    selection = ResultSelection(variants={"m": {variant_key(results[1].cell)}})
    (row,) = build_table(benchmark, Registry(), synthetic.store, selection=selection).rows
    assert row.entries[0].n_tasks == 1
    rows = build_table(benchmark, Registry(), synthetic.store).rows
    assert [row.label for row in rows] == ["m [rate=1]", "m [rate=2]"]  # although the plugin is not loaded
