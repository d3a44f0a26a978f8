"""LaTeX: bold, published numbers, escaped labels, macros, and the critical-difference diagram."""

import itertools
import math
import re

import pytest

from relattr import parameters
from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.report.formats.latex.ablation import ablation_to_latex
from relattr.report.formats.latex.environments import column_parts, table_environment
from relattr.report.formats.latex.macros import macros_to_latex
from relattr.report.formats.latex.notes import notes_to_latex
from relattr.report.formats.latex.ranks import AXIS_END, AXIS_START, ranks_to_latex
from relattr.report.formats.latex.table import comparison_to_latex, table_to_latex
from relattr.report.tables.captions import MAX_RANKED
from relattr.report.tables.footnotes import Footnotes
from relattr.statistics import average_ranks

NOTES = ("none", "short", "full")


@pytest.mark.parametrize(
    ("n_rows", "is_long", "by_siunitx"), [(46, False, True), (100, True, True), (101, True, False)]
)
def test_numbers_of_very_long_tables_need_no_siunitx(n_rows, is_long, by_siunitx):
    columns = r"l S[table-format=3.2]@{\,}l S[table-format=+2.2,retain-explicit-plus]@{}"
    body = [r"x & 1.00 & & +2.00 \\"] * n_rows
    no_notes = Footnotes((), (), (), (), {})
    latex = table_environment("t", "T", columns, r"head \\", body, no_notes)
    assert (r"\begin{longtable}" in latex) == is_long
    assert (columns in latex) == by_siunitx
    assert (r"{l r@{\,}l r@{}}" in latex) == (not by_siunitx)


def test_broken_labels_count_as_lines_of_a_page():
    body = [r"\hspace*{1em}ViralNet [backbone=squeezenet1\_0, start=search, updates=50] & 1.00 \\"] * 20
    no_notes = Footnotes((), (), (), (), {})
    for columns, is_long in ((r"@{}p{0.29\linewidth} r@{}", True), ("@{}l r@{}", False)):
        latex = table_environment("t", "T", columns, r"head \\", body, no_notes)
        assert (r"\begin{longtable}" in latex) == is_long
        assert (r"\begin{table*}" in latex) == (not is_long)


def test_only_the_best_are_bold(synthetic, column):
    for method, noise in (("good", 0.2), ("nearly", 0.201), ("bad", 6.0)):
        synthetic.add(method, "a", "x", noise=noise)
    latex = table_to_latex(synthetic.table(["good", "nearly", "bad"], [column]))
    assert latex.count(r"\bfseries") == 2
    (bad,) = [line for line in latex.splitlines() if line.strip().startswith("bad")]
    assert "bfseries" not in bad


def test_published_constants_are_italic(synthetic):
    column = ColumnSpec(label="Viral-Pairs", dataset="viral")
    table = synthetic.table([], [column], [RowSpec("human", "Human")], "table1")
    assert r"\itshape 71.76" in table_to_latex(table)


def test_comparison_has_the_difference(synthetic, entry_of):
    synthetic.add("viralnet", "lfw10", "smile", noise=0.1, label="ViralNet")
    rows = (RowSpec("viralnet", "End-to-End Localization"),)
    table = synthetic.table([], [ColumnSpec(label="LFW-10", dataset="lfw10")], rows, "table3")
    assert f"{entry_of(table, 'ViralNet').difference:+.2f}" in comparison_to_latex(table)


def test_reasons_of_failures_are_escaped(synthetic, column):
    synthetic.add("broken", "a", "x", status="failed", reason="ValueError: 100% of {this}\nmore")
    table = synthetic.table(["broken"], [column])
    for latex in (table_to_latex(table, "full"), notes_to_latex(table)):
        assert r"failed: ValueError: 100\% of \{this\}." in latex


def test_no_line_starts_with_a_bracket(synthetic):
    """LaTeX would read it as the optional argument of the line break before."""
    for method, label in (("one", "[ours] fast"), ("two", "中文")):
        synthetic.add(method, "a", "x", label=label)
    table = synthetic.table(["one", "two"], [ColumnSpec(label="[A]", dataset="a", attribute="x")])
    latex = table_to_latex(table) + comparison_to_latex(table)
    assert not re.search(r"^\s*\[", latex, re.M)
    assert "{[}ours{]} fast" in latex


def test_macros_have_the_numbers_by_name(synthetic, column, entry_of):
    synthetic.add("m", "a", "x")
    table = synthetic.table(["m"], [column])
    entry = entry_of(table, "m")
    macros = dict(re.findall(r"\\relattrnumber\{synthetic/m/a/([a-z]+)\}\{(.*)\}", macros_to_latex([table])))
    assert macros["measured"] == f"{entry.measured:.2f}"
    assert macros["half"] == f"{entry.half_width:.2f}"
    assert set(macros) == {"measured", "low", "high", "half", "n"}


def ranks_of(n_methods, n_blocks=6):
    return average_ranks({f"m_{i:02} & co": {f"b{b}": float(-i) for b in range(n_blocks)} for i in range(n_methods)})


@pytest.mark.parametrize("n_methods", [2, 5, MAX_RANKED])
def test_rank_diagram_places_methods_by_rank(n_methods):
    ranks = ranks_of(n_methods)
    latex = ranks_to_latex("t", ranks)
    for method, average in zip(ranks.methods, ranks.average, strict=True):
        assert method.replace("_", r"\_").replace("&", r"\&") + f" ({average:.2f})" in latex
        x = AXIS_START + (AXIS_END - AXIS_START) * (average - 1) / (n_methods - 1)
        assert rf"\put({x:.2f}," in latex
    bars = latex.partition(r"\linethickness{1.6pt}")[2]
    assert len(re.findall(r"\\line\(1,0\)", bars)) == len(ranks.groups)
    assert latex.count("{") == latex.count("}")
    assert r"\label{fig:t-ranks}" in latex


def test_too_many_methods_have_no_rank_diagram():
    assert ranks_to_latex("t", ranks_of(MAX_RANKED + 1)) is None


def test_short_notes_are_a_few_marks_and_full_ones_are_all(synthetic, column):
    deviations = tuple(f"difference {k}" for k in range(20))
    for method in ("m", "n"):
        synthetic.add(method, "a", "x", deviations=deviations[len(method) :])
    synthetic.add("broken", "a", "x", status="failed")
    table = synthetic.table(["m", "n", "broken"], [column], published="table3")
    marks = {notes: set(re.findall(r"\\textsuperscript\{(\w+)\}~", table_to_latex(table, notes))) for notes in NOTES}
    assert marks["none"] == set()
    assert 1 <= len(marks["short"]) <= 5
    assert "difference 7" not in table_to_latex(table, "short")
    for latex in (table_to_latex(table, "full"), notes_to_latex(table)):
        assert all(note in latex for note in deviations[1:])


def test_shared_settings_are_in_the_caption(synthetic, plugins, column):
    for method in ("siamese-alexnet", "viralnet"):
        values = parameters.values_of(plugins.method(method).create({"backbone": "micro", "rate": 0.5}))
        synthetic.add(method, "a", "x", parameters=values)
    latex = table_to_latex(synthetic.table(["siamese-alexnet", "viralnet"], [column], registry=plugins))
    assert "Settings: backbone=micro, rate=0.5." in latex
    assert latex.count("micro") == 1


@pytest.mark.parametrize("most", [1, 6, 11])
def test_columns_are_divided_into_equal_parts(most):
    for n in range(1, 60):
        parts = column_parts(n, most)
        assert [k for part in parts for k in part] == list(range(n))
        sizes = [len(part) for part in parts]
        assert len(sizes) == math.ceil(n / most)
        assert most >= sizes[0]
        assert sizes[-1] >= sizes[0] - 1
        assert sizes == sorted(sizes, reverse=True)
    assert column_parts(0, most) == [range(0)]


def test_thirteen_attributes_are_three_similar_tables(synthetic):
    columns = [ColumnSpec(label=f"x{k}", dataset="a", attribute=f"x{k}") for k in range(13)]
    for method, attribute in itertools.product(("m", "n"), columns):
        synthetic.add(method, "a", attribute.attribute)
    table = synthetic.table(["m", "n"], columns, against="m")
    for latex in (table_to_latex(table), ablation_to_latex(table.ablation)):
        heads = re.findall(r"^ *Method.*", latex, re.M)
        assert [head.count(r"\multicolumn{2}") for head in heads] == [5, 4, 4]
        assert "Part 3 of 3." in latex
