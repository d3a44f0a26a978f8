"""Every accuracy in a table of the documentation is that of a committed result."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from relattr.harness.benchmark import load_benchmark
from relattr.harness.store import Store
from relattr.registry import registry
from relattr.report.tables.builder import build_table

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
GENERATED = ("docs/paper.md", "docs/benchmarks.md")
"""Pages that other tools write; they have tests of their own."""
ACCURACY = re.compile(r"\|\s*(?:\*\*)?[+-]?\d{1,3}\.\d\d(?:\*\*)?(?:\s*(?:±|\[|%)[^|]*)?\s*\|")
"""A cell of a Markdown table with two decimals, and perhaps an interval."""
UNSTORED = re.compile(r"<!-- not in results/reference: \S.* -->\n\n")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("doc_tables", ROOT / "tools" / "doc_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # msgspec looks up the annotations of a class in its module
    spec.loader.exec_module(module)
    return module


def pages():
    """Name -> text of the pages with tables."""
    paths = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return {
        name: path.read_text(encoding="utf-8")
        for path in paths
        if (name := str(path.relative_to(ROOT))) not in GENERATED
    }


PAGES = pages()


@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if "<!-- table" in text])
def test_tables_are_those_of_the_stored_results(tool, name):
    assert PAGES[name] == tool.rewritten(PAGES[name]), "run python tools/doc_tables.py"


def unexplained_tables(tool, text):
    """The tables of a page that have accuracies, and no comment that says where they are from."""
    rest = tool.TABLE.sub("", text)
    tables = re.finditer(r"(?:^\|.*\n)+", rest, re.MULTILINE)
    return [
        table[0]
        for table in tables
        if ACCURACY.search(table[0]) and not re.search(f"{UNSTORED.pattern}$", rest[: table.start()])
    ]


@pytest.mark.parametrize("name", PAGES)
def test_no_table_has_accuracies_without_their_source(tool, name):
    assert unexplained_tables(tool, PAGES[name]) == []


def test_a_table_without_its_source_is_noticed(tool):
    table = "| a | b |\n|---|---|\n| m | 97.21 ± 0.3 |\n"
    for text in (table, table.replace("±", "[96.90, 97.50]  ±"), table.replace("97.21 ± 0.3", "**97.21**")):
        assert len(unexplained_tables(tool, f"text\n\n{text}")) == 1
    marked = "<!-- not in results/reference: measured on another machine -->\n\n"
    assert unexplained_tables(tool, marked + table) == []
    assert len(unexplained_tables(tool, "<!-- not in results/reference:  -->\n\n" + table)) == 1
    assert unexplained_tables(tool, "| a | 5 |\n| b | 13.3 s |\n") == []


def stored(dataset, method, attribute, **parameters):
    """Seed -> accuracy in per cent, read from the files without relattr."""
    accuracies = {}
    for path in (REFERENCE / dataset / method).glob(f"{attribute}-standard-*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        if all(record["cell"]["method_parameters"].get(name) == value for name, value in parameters.items()):
            (test,) = record["tests"]
            accuracies[record["cell"]["seed"]] = 100 * test["n_correct"] / test["n_ordered"]
    return accuracies


def test_numbers_are_those_in_the_files(tool):
    """Of one method: single seeds, their mean, and the mean over attributes, computed from the counts alone."""
    method, dataset = "siamese-alexnet", "glyphs-aligned"
    expected = stored(dataset, method, "local")
    assert len(expected) > 1
    columns = ", ".join(f"{{label = '{seed}', seed = {seed}}}" for seed in sorted(expected))
    text = tool.render(
        f"dataset = '{dataset}'\nattribute = 'local'\ncolumns = [{columns}, {{label = 'mean', interval = false}}]\n"
        f"rows = [{{label = 'm', method = '{method}'}}]"
    )
    mean = sum(expected.values()) / len(expected)
    numbers = [f"{expected[seed]:.2f}" for seed in sorted(expected)]
    assert text.splitlines()[-1] == f"| m | {' | '.join([*numbers, f'{mean:.2f}'])} |"


def test_means_and_intervals_are_those_of_the_benchmarks_table(tool):
    """The table that is built with all plugins has the same number, interval and difference."""
    registry.discover()
    stored = {  # the benchmark's parameters may have changed since
        f"{result.cell.method}.{name}": value
        for result in tool.stored_results()
        if result.cell.dataset == "glyphs-aligned" and result.cell.method in ("viralnet", "siamese-alexnet")
        for name, value in result.cell.method_parameters.items()
        if value is not None
    }
    benchmark = msgspec.structs.replace(load_benchmark("glyphs"), set=stored)
    table = build_table(benchmark, registry, Store(REFERENCE), against="viralnet")
    column = next(k for k, each in enumerate(table.columns) if each.label == "Local, aligned")
    entry = next(row.entries[column] for row in table.rows if row.entries[column].measured and row.name == "ViralNet")
    about = "dataset = 'glyphs-aligned'\nattribute = 'local'\ncolumns = [{label = 'x'}]\n"
    text = tool.render(about + "rows = [{label = 'm', method = 'viralnet'}]")
    assert text.splitlines()[-1] == f"| m | {entry.measured:.2f} {entry.spread} |"
    row = next(row for row in table.ablation.rows if row.label.startswith("AlexNet Siamese") and row.effects[column])
    effect = row.effects[column]
    text = tool.render(
        about + "rows = [{label = 'm', method = 'siamese-alexnet', value = 'difference', against = 'viralnet'}]"
    )
    assert f"{effect.text} ± {effect.half_width:.1f}" in text


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("[{label = 'm', method = 'nothing'}]", "NoResults", "row 'm' has no result in results/reference"),
        ("[{label = 'm', method = 'viralnet', set = {rate = 7.5}}]", "NoResults", "row 'm' has no result"),
        ("[{label = 'm', methods = 'viralnet'}]", msgspec.ValidationError, "unknown field `methods`"),
        ("[{label = 'm', value = 'speed'}]", msgspec.ValidationError, "speed"),
    ],
)
def test_a_table_that_cannot_be_computed_is_an_error(tool, rows, error, message):
    expected = tool.NoResults if error == "NoResults" else error
    with pytest.raises(expected, match=message):
        tool.render(f"dataset = 'glyphs-aligned'\nattribute = 'local'\ncolumns = [{{label = 'x'}}]\nrows = {rows}")


def test_results_with_several_parameters_are_not_mixed(tool, monkeypatch):
    results = [result for result in tool.stored_results() if result.cell.dataset == "glyphs-aligned"]
    first = next(result for result in results if result.cell.method == "viralnet")
    cell = msgspec.structs.replace(first.cell, method_parameters={**first.cell.method_parameters, "rate": 9.0})
    both = (*results, msgspec.structs.replace(first, cell=cell))
    monkeypatch.setattr(tool, "stored_results", lambda: both)
    query = tool.TableCell(dataset="glyphs-aligned", attribute="local", method="viralnet")
    with pytest.raises(tool.NoResults, match="2 choices of parameters; choose one with `set`"):
        tool.chosen(query)
    assert tool.chosen(msgspec.structs.replace(query, set={"rate": 9.0})) == [both[-1]]


def test_a_parameter_that_is_not_stated_is_a_choice(tool, monkeypatch):
    first = next(result for result in tool.stored_results() if result.cell.method == "siamese")
    assert first.cell.method_parameters["rate"] is None
    cell = msgspec.structs.replace(first.cell, method_parameters={**first.cell.method_parameters, "rate": 9.0})
    both = (first, msgspec.structs.replace(first, cell=cell))
    monkeypatch.setattr(tool, "stored_results", lambda: both)
    query = tool.TableCell(dataset=first.cell.dataset, attribute=first.cell.attribute, method="siamese")
    assert tool.chosen(msgspec.structs.replace(query, set={"rate": ""})) == [first]
    assert tool.chosen(msgspec.structs.replace(query, set={"rate": 9.0})) == [both[1]]


def test_a_mean_over_some_attributes_needs_all_of_them(tool):
    accuracies = {name: stored("lfw10", "ranksvm-hog2x2", name)[0] for name in ("smile", "eyesopen")}
    query = tool.TableCell(
        dataset="lfw10", method="ranksvm-hog2x2", attributes=tuple(accuracies), interval=False, seed=0
    )
    assert tool.cell_text(query) == f"{sum(accuracies.values()) / 2:.2f}"
    missing = msgspec.structs.replace(query, attributes=("smile", "beauty"))
    assert tool.cell_text(missing) == ""


def test_the_best_published_is_the_highest_mean_in_the_file(tool):
    with (ROOT / "paper_tables" / "published.csv").open(encoding="utf-8", newline="") as file:
        means = [row for row in csv.DictReader(file) if row["column"] == "PubFig" and not row["attribute"]]
    best = max((row for row in means if row["accuracy_percent"]), key=lambda row: float(row["accuracy_percent"]))
    query = tool.TableCell(benchmark="features", dataset="pubfig", method="ranksvm-hog2x2", value="best published")
    assert tool.cell_text(query) == f"{float(best['accuracy_percent']):.2f} ({best['row']}; {best['source']})"


@pytest.mark.parametrize("name", ["table1", "table3"])
def test_paper_tables_have_the_numbers_of_the_stored_results(name):
    """Those of paper_tables/; notes, which also depend on the code and the data of this machine, are not compared."""
    registry.discover()
    table = build_table(load_benchmark(name), registry, Store(REFERENCE))
    measured = {
        (
            column.label,
            f"{entry.measured:.6f}",
            *("" if end is None else f"{end:.6f}" for end in (entry.lower, entry.upper)),
        )
        for row in table.rows
        for column, entry in zip(table.columns, row.entries, strict=True)
        if entry.measured is not None
    }
    with (ROOT / "paper_tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        lines = [row for row in csv.DictReader(file) if row["measured_percent"]]
    written = {(row["column"], row["measured_percent"], row["low_percent"], row["high_percent"]) for row in lines}
    assert written == measured, f"run relattr tables {name} --results results/reference --out paper_tables"
