"""Labels, keys and order of the rows of a table."""

from relattr import parameters
from relattr.harness.benchmark import RowSpec


def test_parameters_set_by_the_benchmark_are_not_in_the_label(synthetic, plugins, column):
    for rate in (0.001, 0.01):
        values = parameters.values_of(plugins.method("siamese-alexnet").create({"preset": "fast", "rate": rate}))
        synthetic.add("siamese-alexnet", "a", "x", parameters=values)
    settings = {"preset": "fast", "rate": 0.03, "siamese-alexnet.rate": 0.01, "viralnet.rate": 0.001}
    rows = synthetic.table(["siamese-alexnet"], [column], registry=plugins, set=settings).rows
    label = plugins.method("siamese-alexnet").label
    assert [row.label for row in rows] == [label, f"{label} [rate=0.001]"]
    assert [row.key for row in rows] == ["siamese-alexnet", "siamese-alexnet-rate-0.001"]


def test_a_benchmark_may_label_a_row(synthetic, column):
    synthetic.add("m", "a", "x", label="Method")
    synthetic.add("n", "a", "x", label="Method")
    table = synthetic.table(["m", "n"], [column], rows=(RowSpec("m", label="Other name"), RowSpec("n")))
    assert [row.label for row in table.rows] == ["Other name", "Method"]


def test_a_method_of_another_benchmark_has_no_empty_row(synthetic, column):
    synthetic.add("m", "a", "x")
    synthetic.add("n", "a", "x", status="skipped", reason="needs features shipped with the images")
    synthetic.add("o", "a", "x", status="failed", reason="out of memory")
    rows = {row.key for row in synthetic.table(["m"], [column]).rows}
    assert rows == {"m", "o"}
    own = {row.key: row.entries[0].status for row in synthetic.table(["m", "n"], [column]).rows}
    assert own == {"m": "ok", "n": "skipped", "o": "failed"}
