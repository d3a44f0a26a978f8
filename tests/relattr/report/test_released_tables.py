"""Tables of a released file are those of the results folder, byte for byte."""

from __future__ import annotations

import pytest

from relattr.harness.release import open_results, write_release
from relattr.harness.result_selection import ResultSelection
from relattr.registry import Registry
from relattr.report.formats.files import write_tables
from relattr.report.formats.page import benchmark_to_html
from relattr.report.tables.builder import build_table
from relattr.report.tables.comparison import compare_results


@pytest.fixture
def results(synthetic):
    """Methods with strengths and with margins, several seeds and parameters, failures, and a number without arrays."""
    for attribute in ("x", "y"):
        for seed in (0, 1):
            synthetic.add("good", "a", attribute, seed, noise=0.3, notes=("a note, with a comma",))
        synthetic.add("good", "a", attribute, noise=0.5, parameters={"C": 2.0, "B": "größe"})
        synthetic.add("pairs", "a", attribute, margins=True, spearman=0.25, deviations=("other labels",))
        synthetic.add("broken", "a", attribute, status="failed")
        synthetic.add("plain", "a", attribute, arrays=False)
    return synthetic


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_tables_are_those_of_the_folder(results, mean_column, make_benchmark, tmp_path, suffix):
    benchmark = make_benchmark(["good", "pairs", "broken", "plain"], [mean_column])
    released = open_results(write_release(results.store, tmp_path / f"out{suffix}", ResultSelection()).file)
    written = []
    for name, stored in (("folder", results.store), ("file", released)):
        table = build_table(benchmark, Registry(), stored, against="pairs")
        paths = write_tables([table], tmp_path / name)
        written.append({path.name: path.read_bytes() for path in paths if path.suffix != ".pdf"})
        page = benchmark_to_html(benchmark, Registry(), stored, audit=False)
        written[-1]["page"] = page.encode()
    assert len(written[0]) > 10
    assert written[0] == written[1]


def test_a_folder_is_compared_with_a_file(results, tmp_path):
    released = open_results(write_release(results.store, tmp_path / "out.jsonl", ResultSelection()).file)
    comparison = compare_results(Registry(), released, results.store, ResultSelection())
    assert comparison.changes
    assert {change.difference for change in comparison.changes} == {0.0}
    assert (comparison.only_first, comparison.only_second) == ([], [])
