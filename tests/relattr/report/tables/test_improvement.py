"""Relative improvements over earlier rows, against numbers computed by hand."""

import pytest

from relattr import BadInput
from relattr.harness.benchmark import ColumnSpec, ImprovementSpec, RowSpec, TableSpec, load_benchmark
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.text import table_to_text
from relattr.report.tables.builder import build_table


def test_cells_of_table_1_give_20_percent(synthetic, plugins):
    """68.09 / 55.18, 78.38 / 63.01 and 76.95 / 68.10: 23.4, 24.4 and 13.0 per cent; the paper's 19.1 are not these."""
    improvement = build_table(load_benchmark("table1"), plugins, synthetic.store).improvement
    assert [gain.percent for gain in improvement.published] == pytest.approx([23.396, 24.393, 12.996], abs=0.001)
    assert [gain.earlier_row for gain in improvement.published] == [
        "RankSVM + VGGNet-16 fc7 Features",
        "RankSVM + VGGNet-16 fc7 Features",
        "SVM + Deep Attributes-5",
    ]
    assert improvement.published_mean == pytest.approx(20.26, abs=0.005)
    assert improvement.measured == (None, None, None)
    assert improvement.measured_mean is None


def test_cells_of_table_2(synthetic, plugins):
    improvement = build_table(load_benchmark("table2"), plugins, synthetic.store).improvement
    assert [gain.percent for gain in improvement.published] == pytest.approx([8.727, 10.294, 15.606], abs=0.001)


def test_measured_improvement_is_over_the_best_earlier_row(synthetic, make_benchmark):
    columns = [ColumnSpec(label="A", dataset="a", attribute="x"), ColumnSpec(label="B", dataset="b", attribute="x")]
    accuracies = {}
    for method, noise in (("new", 0.2), ("old", 2.0), ("older", 4.0), ("other", 0.1)):
        result = synthetic.add(method, "a", "x", noise=noise)
        accuracies[method] = result.tests[0].accuracy
    rows = [RowSpec(method) for method in ("new", "old", "older", "other")]
    spec = ImprovementSpec("new", ("old", "older"), "The paper\nclaims more.")
    table = TableSpec(caption="c", rows=tuple(rows), columns=tuple(columns), improvement=spec)
    benchmark = make_benchmark([row.method for row in rows], columns)
    built = build_table(
        type(benchmark)(
            **{field: getattr(benchmark, field) for field in benchmark.__struct_fields__} | {"table": table}
        ),
        synthetic.registry,
        synthetic.store,
    )
    gain = built.improvement.measured[0]
    best = max(accuracies["old"], accuracies["older"])
    assert gain.percent == pytest.approx(100 * (accuracies["new"] / best - 1))
    assert built.improvement.measured[1] is None
    assert built.improvement.measured_mean == pytest.approx(gain.percent)
    assert built.improvement.published_mean is None
    for text in (table_to_markdown(built), table_to_text(built)):
        assert f"{gain.percent:+.1f}" in text
        assert "The paper claims more." in text


def test_an_improvement_of_an_unknown_method_is_refused(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text(
        'title = "t"\nmethods = ["chance"]\ndatasets = ["osr"]\n[table]\ncaption = "c"\n'
        '[table.improvement]\nproposed = "chance"\nearlier = ["chanse"]\n'
    )
    with pytest.raises(BadInput, match="names chanse, which is not one of its methods"):
        load_benchmark(str(path))
