"""Tables from synthetic stores: what is bold, noted and escaped, and what stays right when things break."""

import csv
import io
import re
import shutil

import msgspec
import numpy as np
import pytest

from relattr import BadInput, Dataset
from relattr.harness.arrays import CellArrays
from relattr.harness.benchmark import ColumnSpec, RowSpec
from relattr.registry import Plugin
from relattr.report.formats import latex
from relattr.report.formats.escape import escape_latex, escape_markdown
from relattr.report.formats.write import to_csv, to_markdown, to_text, write, write_all
from relattr.report.tables import judging
from relattr.report.tables.audits import LeakNote
from relattr.report.tables.builder import build_table
from relattr.report.tables.entry import reproduction_verdict
from relattr.report.tables.notes import place_footnotes
from relattr.report.tables.table import letter

NASTY = r"a_b & <script>alert(1)</script> 100% $x$ #1 {y} ~z ^w \end{document} é 中 α “q”"


def entry(table, label, column=0):
    return next(line for line in table.lines if line.label == label).entries[column]


def everything(table):
    return "".join(
        [latex.to_latex(table), latex.to_latex_beside(table), to_csv(table), to_markdown(table), to_text(table)]
    )


def test_numbers_are_those_of_the_rows(synthetic, make_benchmark):
    rows = [synthetic.add("m", "a", attribute, seed) for attribute in ("x", "y") for seed in (0, 1)]
    table = build_table(make_benchmark(["m"], [ColumnSpec(label="A", dataset="a")]), synthetic.registry, synthetic.store)
    found = entry(table, "m")
    mean = {a: np.mean([r.tests[0].accuracy for r in rows if r.cell.attribute == a]) for a in ("x", "y")}
    assert found.measured == pytest.approx(100 * (mean["x"] + mean["y"]) / 2)
    assert found.low < found.measured < found.high
    assert (found.n_ordered, found.n_attributes, found.n_seeds) == (450, 2, 2)
    assert found.seconds == pytest.approx(2 * 2.5)
    assert [h.label for h in table.behind[0].columns] == ["x", "y", "Mean"]
    assert table.behind[0].lines[0].entries[0].measured == pytest.approx(100 * mean["x"])
    line = next(csv.DictReader(io.StringIO(to_csv(table))))
    assert float(line["measured_percent"]) == pytest.approx(found.measured, abs=1e-6)


def test_rank_correlations_stand_beside_accuracy(synthetic, make_benchmark):
    for attribute, value in (("x", 0.2), ("y", 0.6)):
        synthetic.add("m", "a", attribute, spearman=value)
        synthetic.add("none", "a", attribute)
    synthetic.add("part", "a", "x", spearman=0.5)
    synthetic.add("part", "a", "y")
    columns = [ColumnSpec(label="A", dataset="a"), ColumnSpec(label="B", dataset="b")]
    table = build_table(make_benchmark(["m", "none", "part"], columns), synthetic.registry, synthetic.store)
    assert entry(table, "m").spearman == pytest.approx(0.4)
    assert (entry(table, "none").spearman, entry(table, "part").spearman) == (None, None)  # no mean over a part
    found = {
        row["method"]: row["spearman"] for row in csv.DictReader(io.StringIO(to_csv(table))) if row["column"] == "A"
    }
    assert found == {"m": "0.400000", "none": "", "part": ""}
    markdown = to_markdown(table).partition("## Rank correlation")[2]
    assert re.findall(r"^\| m .*$", markdown, re.M) == ["| m | 0.400 |"]  # the one column that has any
    assert "| none" not in markdown


def test_a_number_by_another_rule_for_ties_competes_with_none(synthetic, make_benchmark):
    for method, noise in (("good", 0.5), ("bad", 6.0)):
        synthetic.add(method, "a", "x", noise=noise)
    synthetic.add("other", "a", "x", noise=0.01, ties="half", test_note="ties are half right")
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    table = build_table(make_benchmark(["good", "bad", "other"], [column]), synthetic.registry, synthetic.store)
    assert [entry(table, m).best for m in ("good", "bad", "other")] == [True, False, False]
    other = entry(table, "other")
    assert other.own_rule
    assert other.measured > entry(table, "good").measured
    assert other.low is None
    assert any("does not count ties as errors" in text for text in other.texts)
    assert "ties are half right" in other.texts
    assert "a tie is an error, unless a note gives another rule." in table.caption


def test_bold_is_the_best_and_what_cannot_be_told_from_it(synthetic, make_benchmark):
    for method, noise in (("good", 0.2), ("nearly", 0.201), ("bad", 6.0)):
        synthetic.add(method, "a", "x", noise=noise)
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    table = build_table(make_benchmark(["good", "nearly", "bad"], [column]), synthetic.registry, synthetic.store)
    assert [entry(table, m).best for m in ("good", "nearly", "bad")] == [True, True, False]
    assert entry(table, "bad").p_best < 0.001
    assert latex.to_latex(table).count(r"\bfseries") == 2
    assert "Bold: the best" in table.caption


def test_ties_are_both_bold_and_a_lone_method_is_not(synthetic, make_benchmark):
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    synthetic.add("one", "a", "x", noise=0.0)
    alone = build_table(make_benchmark(["one"], [column]), synthetic.registry, synthetic.store)
    assert not entry(alone, "one").best
    synthetic.add("two", "a", "x", noise=0.0)
    table = build_table(make_benchmark(["one", "two"], [column]), synthetic.registry, synthetic.store)
    assert entry(table, "one").best
    assert entry(table, "two").best
    assert entry(table, "two").p_best == 1.0


def test_margins_are_judged_like_strengths(synthetic, make_benchmark):
    synthetic.add("m", "a", "x", seed=3)
    synthetic.add("n", "a", "x", seed=3, margins=True, noise=0.5)
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    table = build_table(make_benchmark(["m", "n"], [column]), synthetic.registry, synthetic.store)
    assert entry(table, "n").low is not None
    assert "no interval" not in everything(table)


def test_every_deviation_note_and_flag_is_a_footnote(synthetic, make_benchmark):
    synthetic.add("m", "a", "x", deviations=("another backbone",), notes=("other labels",), test_note="images shared")
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    flags = {"a": [LeakNote("audit: one image is in both")]}
    table = build_table(make_benchmark(["m"], [column]), synthetic.registry, synthetic.store, flags)
    for text in ("another backbone", "other labels", "images shared", "audit: one image is in both"):
        for made in (latex.to_latex(table), to_csv(table), to_markdown(table), to_text(table)):
            assert text in made
    assert [letter(k) for k in (0, 25, 26, 27, 702)] == ["a", "z", "aa", "ab", "aaa"]


def test_a_leak_is_said_of_the_numbers_it_touches(synthetic, make_benchmark):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    columns = [ColumnSpec(label=attribute, dataset="a", attribute=attribute) for attribute in ("x", "y")]
    flags = {"a": [LeakNote("audit: leaks", frozenset({"a/x/standard test"}))]}
    table = build_table(make_benchmark(["m"], columns), synthetic.registry, synthetic.store, flags)
    assert "audit: leaks" in entry(table, "m", 0).texts
    assert "audit: leaks" not in entry(table, "m", 1).texts


def test_a_column_of_one_attribute_has_what_is_published_of_it_and_not_the_mean(synthetic, make_benchmark, row):
    synthetic.add("m", "a", "baldhead")
    columns = [
        ColumnSpec(label="Bald", dataset="a", attribute="baldhead", published="LFW-10"),
        ColumnSpec(label="No such", dataset="a", attribute="x", published="LFW-10"),
        ColumnSpec(label="All", dataset="a", attribute="*", published="LFW-10"),
    ]
    rows = [row("m", published="Parikh and Grauman + CNN")]
    table = build_table(make_benchmark(["m"], columns, rows, "table3"), synthetic.registry, synthetic.store)
    assert [entry(table, "m", k).published for k in range(3)] == [78.10, None, 74.61]
    whole = [
        ColumnSpec(label="V", dataset="a", attribute="baldhead", published="Viral-Pairs")
    ]  # published as one number
    rows = [row("m", published="ViralNet")]
    table = build_table(make_benchmark(["m"], whole, rows, "table4"), synthetic.registry, synthetic.store)
    assert entry(table, "m").published == 76.20


def test_what_is_ranked_is_told_apart_though_it_is_called_the_same(synthetic, make_benchmark):
    for k, method in enumerate(("good", "bad", "third")):
        for dataset in ("a", "b"):
            for attribute in ("x", "y"):
                synthetic.add(method, dataset, attribute, noise=0.1 + 2 * k, label="The same")
    columns = [ColumnSpec(label="Mine", dataset="a"), ColumnSpec(label="Not mine", dataset="b")]
    table = build_table(make_benchmark(["good", "bad", "third"], columns), synthetic.registry, synthetic.store)
    assert len(table.ranks.methods) == 3
    assert table.ranks.methods[0] == "The same (good)"
    assert set(table.ranks.blocks) == {"Mine x", "Mine y", "Not mine x", "Not mine y"}


def test_attributes_whose_names_differ_in_signs_only_have_numbers_of_their_own(synthetic, make_benchmark):
    for attribute in ("big smile", "big-smile", "开放", "自然", "mean"):
        synthetic.add("m", "a", attribute)
    table = build_table(make_benchmark(["m"], [ColumnSpec(label="A", dataset="a")]), synthetic.registry, synthetic.store)
    keys = [head.key for head in table.behind[0].columns]
    assert len(set(keys)) == 6
    assert keys[-1] == "mean"
    macros = re.findall(r"\\relattrnumber\{([^}]*)\}", latex.to_macros([table]))
    assert len(macros) == len(set(macros))


def test_attributes_that_only_the_files_know_are_those_of_the_rows_where_the_files_are_gone(synthetic, make_benchmark):
    class Gone(Dataset):
        """Its attributes are read from its files."""

        def attributes(self):
            return ()

        def missing(self):
            return "its files are not here"

    class Broken(Gone):
        """The same, and worse."""

        def attributes(self):
            raise OSError("a disk that is gone")

    row = synthetic.add("m", "a", "x")
    for cls in (Gone, Broken):
        synthetic.registry.datasets["a"] = Plugin("a", "A", cls, {})
        table = build_table(make_benchmark(["m"], [ColumnSpec(label="A", dataset="a")]), synthetic.registry, synthetic.store)
        assert entry(table, "m").measured == pytest.approx(100 * row.tests[0].accuracy)


def test_pairs_kept_by_older_code_are_asked_for_again(synthetic, make_benchmark, monkeypatch):
    row = synthetic.add("m", "a", "x")
    key = judging.test_key(row, "test")
    _, pairs = synthetic.pairs("a", "x")
    right = judging.TestPairs(pairs, np.arange(synthetic.n_images))
    left, other, label = pairs.arrays
    order = np.random.default_rng(0).permutation(len(label))
    wrong = type(pairs)(left, other, label[order])  # as many, and others
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    asked = []

    def interval():
        judging.store_test_pairs(synthetic.store.folder, key, judging.TestPairs(wrong, right.identities))
        return entry(build_table(make_benchmark(["m"], [column]), synthetic.registry, synthetic.store), "m")

    assert any("do not give the counts" in text for text in interval().texts)  # the dataset is not here
    monkeypatch.setattr(judging.Judge, "_ask", lambda self, *about: asked.append(about) or right)
    assert interval().low is not None
    assert len(asked) == 1


@pytest.mark.parametrize("at", [0, 40, 200, -30])
def test_damaged_pairs_cost_the_interval_only(synthetic, make_benchmark, at):
    row = synthetic.add("m", "a", "x")
    path = judging._path(synthetic.store.folder, judging.test_key(row, "test"))
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    table = build_table(make_benchmark(["m"], [column]), synthetic.registry, synthetic.store)
    assert entry(table, "m").measured == pytest.approx(100 * row.tests[0].accuracy)


def test_a_name_in_brackets_or_without_latin_letters_ends_no_line_of_latex(synthetic, make_benchmark):
    for method, label in (("one", "[ours] fast"), ("two", "中文")):
        synthetic.add(method, "a", "x", label=label)
    column = ColumnSpec(label="[A]", dataset="a", attribute="x")
    table = build_table(make_benchmark(["one", "two"], [column]), synthetic.registry, synthetic.store)
    made = latex.to_latex(table) + latex.to_latex_beside(table)
    assert not re.search(r"^\s*\[", made, re.M)  # LaTeX would take it for an argument of the line break before
    assert "{[}ours{]} fast" in made


def test_deleted_cells_are_named_and_the_rest_stands(synthetic, make_benchmark, columns):
    for method in ("m", "n"):
        for attribute in ("x", "y"):
            synthetic.add(method, "a", attribute, noise=0.5)
        synthetic.add(method, "b", "x", noise=0.5)
    gone = synthetic.add("n", "a", "y", noise=0.5)
    synthetic.store.path(gone.cell).unlink()
    synthetic.store.path(gone.cell).with_suffix(".npz").unlink()
    table = build_table(make_benchmark(["m", "n"], columns), synthetic.registry, synthetic.store)
    assert entry(table, "m").n_attributes == 2
    assert entry(table, "n", 1).measured is not None
    found = build_table(
        make_benchmark(["m", "n"], [ColumnSpec(label="A", dataset="a", attribute="y")]),
        synthetic.registry,
        synthetic.store,
    )
    assert entry(found, "n").measured is None
    assert entry(found, "n").status == "not run"
    assert "nan" not in everything(table).lower().replace("nano", "")


def test_seeds_that_are_not_in_a_mean_are_named_and_it_is_not_the_best(synthetic, make_benchmark):
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    bench = msgspec.structs.replace(make_benchmark(["part", "whole", "other"], [column]), seeds=(0, 1, 2))
    for seed in (0, 1, 2):
        synthetic.add("whole", "a", "x", seed, noise=1.0)
    synthetic.add("part", "a", "x", 0, noise=0.2)
    synthetic.add("part", "a", "x", 2, status="timeout", reason="took longer than 5m")
    synthetic.add("other", "a", "x", 7)
    table = build_table(bench, synthetic.registry, synthetic.store)
    part, whole, other = (entry(table, m) for m in ("part", "whole", "other"))
    assert "mean over 1 of 3 cells; seed 1: not run; seed 2: timeout: took longer than 5m" in part.texts
    assert part.measured > whole.measured
    assert (part.best, whole.best, other.best) == (False, True, False)
    assert not [text for text in whole.texts if "cells" in text]
    assert "mean over 1 of 4 cells; seed 0: not run; seed 1: not run; seed 2: not run" in other.texts


def test_splits_that_are_not_in_a_mean_are_named(synthetic, make_benchmark):
    class A(Dataset):
        """Two attributes, four splits."""

        name = "a"

        def attributes(self):
            return ["x", "y"]

        def splits(self):
            return ["s0", "s1", "s2", "s3"]

        def fingerprint(self):
            return "a"

    synthetic.registry.datasets["a"] = Plugin("a", "A", A, {})
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute, split="s2")
    synthetic.add("m", "a", "y", split="s1")
    table = build_table(make_benchmark(["m"], [ColumnSpec(label="A", dataset="a")]), synthetic.registry, synthetic.store)
    (text,) = [text for text in entry(table, "m").texts if "cells" in text]
    assert text == (
        "mean over 3 of 8 cells; x/s0, seed 0: not run; x/s1, seed 0: not run; x/s3, seed 0: not run; "
        "y/s0, seed 0: not run; and 1 more"
    )
    table = build_table(
        make_benchmark(["m"], [ColumnSpec(label="A", dataset="a", split="s2")]), synthetic.registry, synthetic.store
    )
    assert not [text for text in entry(table, "m").texts if "cells" in text]


def test_a_failed_row_says_why_and_keeps_its_place(synthetic, make_benchmark, columns):
    synthetic.add("m", "a", "x")
    synthetic.add("broken", "a", "x", status="failed", reason="ValueError: 100% of {this}\nmore")
    table = build_table(make_benchmark(["broken", "m"], columns), synthetic.registry, synthetic.store)
    assert [line.label for line in table.lines] == ["broken", "m"]
    assert entry(table, "broken").status == "failed"
    assert "failed: ValueError: 100% of {this}" in place_footnotes(table).letters
    assert r"failed: ValueError: 100\% of \{this\}." in latex.to_latex(table)


def test_partly_failed_attributes_are_compared_on_what_both_have(synthetic, make_benchmark):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute, noise=0.3)
    synthetic.add("n", "a", "x", noise=0.3)
    synthetic.add("n", "a", "y", status="timeout", reason="took too long")
    table = build_table(make_benchmark(["m", "n"], [ColumnSpec(label="A", dataset="a")]), synthetic.registry, synthetic.store)
    found = entry(table, "n")
    assert any("mean over x only; y: took too long" in text for text in found.texts)
    assert found.best is True or entry(table, "m").p_best is not None or found.p_best is not None


def test_without_its_strengths_or_pairs_a_number_stands_without_interval(synthetic, make_benchmark):
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    synthetic.add("bare", "a", "x", arrays=False)
    other = synthetic.add("changed", "a", "x", seed=1)
    synthetic.store.write(other, CellArrays(strengths={"test": np.zeros(synthetic.n_images)}))
    table = build_table(make_benchmark(["bare", "changed"], [column]), synthetic.registry, synthetic.store)
    assert entry(table, "bare").low is None
    assert any("cannot be read" in t for t in entry(table, "bare").texts)
    assert any("do not give the counts of its row" in t for t in entry(table, "changed").texts)
    synthetic.store.path(other.cell).with_suffix(".npz").write_bytes(b"no zip")
    build_table(make_benchmark(["bare", "changed"], [column]), synthetic.registry, synthetic.store)
    shutil.rmtree(synthetic.store.folder / ".pairs")
    table = build_table(make_benchmark(["bare", "changed"], [column]), synthetic.registry, synthetic.store)
    assert any("no dataset a is here" in t for t in entry(table, "bare").texts)


def test_verdicts():
    assert reproduction_verdict(86.0, 85.0, 87.0, 86.9, True) == "reproduced"
    assert reproduction_verdict(86.0, 80.0, 91.0, 86.9, True) == "within noise"
    assert reproduction_verdict(86.0, 85.0, 87.0, 90.0, True) == "not reproduced"
    assert reproduction_verdict(86.0, 85.9, 86.1, 86.4, True) == "reproduced"
    assert reproduction_verdict(86.0, 85.0, 87.0, 86.0, False) == "not comparable"
    assert reproduction_verdict(86.0, None, None, 86.0, True) == "not judged"


def test_published_rows_keep_their_place_with_the_reason(synthetic, make_benchmark):
    rows = (RowSpec("human", "Human"), RowSpec("viralnet", "ViralNet"))
    columns = [ColumnSpec(label="Viral-Pairs", dataset="viral"), ColumnSpec(label="Viral-RandomPairs", dataset="viral")]
    table = build_table(make_benchmark([], columns, rows, "table1"), synthetic.registry, synthetic.store)
    human = table.lines[0].entries[0]
    assert (human.published, human.constant, human.status) == (71.76, True, "published")
    assert any("published, not measured here" in t for t in human.texts)
    assert table.lines[1].entries[0].status == "not run"
    assert r"\itshape 71.76" in latex.to_latex(table)
    assert "Nothing was measured yet." in table.caption


def test_published_numbers_stand_beside_with_verdict(synthetic, make_benchmark):
    synthetic.add("viralnet", "lfw10", "smile", noise=0.1, label="ViralNet")
    rows = (RowSpec("viralnet", "End-to-End Localization"),)
    column = ColumnSpec(label="LFW-10", dataset="lfw10")
    table = build_table(make_benchmark([], [column], rows, "table3"), synthetic.registry, synthetic.store)
    found = entry(table, "ViralNet")
    assert found.published == 86.91
    assert found.difference == pytest.approx(found.measured - 86.91)
    assert f"{found.difference:+.2f}" in latex.to_latex_beside(table)


def test_the_same_rows_give_the_same_bytes_in_whatever_order(synthetic, make_benchmark, columns, tmp_path):
    plan = [(m, d, "x") for m in ("m", "n") for d in ("a", "b")]
    other = type(synthetic)(tmp_path / "other")
    for where, order in ((synthetic, plan), (other, plan[::-1])):
        for method, dataset, attribute in order:
            where.add(method, dataset, attribute)
    made = []
    for where, folder in ((synthetic, "one"), (other, "two")):
        table = build_table(make_benchmark(["m", "n"], columns), where.registry, where.store)
        made.append({p.name: p.read_bytes() for p in write_all([table], tmp_path / folder)})
    assert made[0] == made[1]


@pytest.mark.parametrize("text", [NASTY, "_", "\\", "a\nb\tc", "\x00\x1b[31m", "``''", "−±½²", "[x]", "x % y", "ﬁ"])
def test_escaped_text_has_no_active_characters(text):
    made = escape_latex(text)
    bare = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl|textasciigrave)\{\}",
        "",
        made,
    )
    bare = re.sub(r"\{[\[\]]\}", "", bare)
    bare = re.sub(r"\\(ensuremath\{\\?[a-z^0-9-]+\}|dots\{\}|textbullet\{\}|[&%$#_{},])", "", bare)
    assert not set(bare) & set("\\&%$#_{}~^[]\n\t\x00\x1b")
    pipes = escape_markdown(text)
    assert "\n" not in pipes
    assert "|" not in pipes.replace("\\|", "")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex is installed")
def test_everything_compiles_and_the_pdf_is_the_same_each_time(synthetic, make_benchmark, tmp_path):
    for attribute in ("x_1", "y%", "z", "u", "v", "w", "s"):
        synthetic.add(NASTY.replace("/", "-"), "a", attribute, label=NASTY, deviations=(NASTY,), noise=0.4)
        synthetic.add("m", "a", attribute, noise=0.5)
    synthetic.add("broken & co", "a", "z", status="crashed", reason=NASTY)
    for k in range(60):
        synthetic.add(f"many {k}", "a", "z", noise=0.1 * k)
    many = [ColumnSpec(label=f"C_{k}", dataset="a", attribute="z") for k in range(14)]
    tables = [
        build_table(
            make_benchmark(["m"], [ColumnSpec(label="A & B", dataset="a")], name="wide"),
            synthetic.registry,
            synthetic.store,
        ),
        build_table(make_benchmark(["m"], many, name="many"), synthetic.registry, synthetic.store),
    ]
    written = write_all(tables, tmp_path / "out")
    pdf = written[-1]
    assert pdf.suffix == ".pdf"
    first = pdf.read_bytes()
    assert first.startswith(b"%PDF")
    assert write_all(tables, tmp_path / "out")[-1].read_bytes() == first
    assert r"\relattrnumber{wide/m/a-b/measured}" in (tmp_path / "out/macros.tex").read_text()


def test_numbers_of_tables_written_before_stay_in_the_macros(synthetic, make_benchmark, tmp_path):
    synthetic.add("m", "a", "x")
    column = [ColumnSpec(label="A", dataset="a", attribute="x")]
    one, two = (
        build_table(make_benchmark(["m"], column, name=name), synthetic.registry, synthetic.store) for name in ("one", "two")
    )
    write_all([one, two], tmp_path / "both")
    write_all([one], tmp_path / "apart")
    write_all([two], tmp_path / "apart")
    write_all([one], tmp_path / "apart")  # once more: no number is there twice
    both, apart = ((tmp_path / name / "macros.tex").read_text() for name in ("both", "apart"))
    assert sorted(both.splitlines()) == sorted(apart.splitlines())
    assert r"\relattrnumber{two/m/a/measured}" in apart
    lower = r"\relattrnumber{two/m/a/difference}{\ensuremath{-}2.91}"
    (tmp_path / "apart" / "macros.tex").write_text(f"{apart}{lower}\n")
    write_all([one], tmp_path / "apart")
    assert lower in (tmp_path / "apart" / "macros.tex").read_text()
    (tmp_path / "apart" / "two.tex").unlink()
    write_all([one], tmp_path / "apart")
    assert "two/" not in (tmp_path / "apart" / "macros.tex").read_text()


def test_a_pdf_of_other_tables_does_not_stay(synthetic, make_benchmark, columns, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (tmp_path / "tables.pdf").write_bytes(b"%PDF of other tables")
    table = build_table(make_benchmark(["m"], columns), synthetic.registry, synthetic.store)
    assert write_all([table], tmp_path)
    assert not (tmp_path / "tables.pdf").exists()


def test_two_benchmarks_of_one_name_are_refused_before_anything_is_written(
    synthetic, make_benchmark, columns, tmp_path
):
    table = build_table(make_benchmark(["m"], columns), synthetic.registry, synthetic.store)
    with pytest.raises(BadInput, match="two tables would be written to files called synthetic"):
        write_all([table, table], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tables_whose_files_would_be_the_same_are_refused(synthetic, make_benchmark, tmp_path):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    tables = [
        build_table(
            make_benchmark(["m"], [ColumnSpec(label=label, dataset="a")], name=name),
            synthetic.registry,
            synthetic.store,
        )
        for label, name in (("Mine", "c"), ("A", "c-mine"))
    ]
    with pytest.raises(BadInput, match="files called c-mine"):
        write_all(tables, tmp_path)
    for label in ("Ranks", "Published"):  # what the diagram and the second table of the benchmark end in
        table = build_table(
            make_benchmark(["m"], [ColumnSpec(label=label, dataset="a")]), synthetic.registry, synthetic.store
        )
        paths = write(table, tmp_path)
        assert len(paths) == len(set(paths))


def test_write_names_what_it_wrote(synthetic, make_benchmark, columns, tmp_path):
    synthetic.add("m", "a", "x")
    table = build_table(make_benchmark(["m"], columns), synthetic.registry, synthetic.store)
    names = {path.name for path in write(table, tmp_path)}
    assert {"synthetic.tex", "synthetic-published.tex", "synthetic.csv", "synthetic.md"} <= names


def test_csv_cells_are_no_formulas(synthetic, make_benchmark):
    synthetic.add("m", "a", "x", label="=HYPERLINK(1)")
    table = build_table(make_benchmark(["m"], [ColumnSpec(label="A", dataset="a")]), synthetic.registry, synthetic.store)
    assert "'=HYPERLINK" in to_csv(table)


def test_an_empty_store_makes_a_table_of_gaps(synthetic, make_benchmark, columns):
    table = build_table(make_benchmark(["m"], columns), synthetic.registry, synthetic.store)
    assert "Nothing was measured yet." in everything(table)
    assert entry(table, "m").texts == ("not run: no method is here for this row yet",)


def test_a_mean_over_some_of_the_attributes_is_not_the_best(synthetic, make_benchmark):
    for attribute in ("a", "b"):
        synthetic.add("whole", "data", attribute, noise=0.8)
        synthetic.add("bad", "data", attribute, noise=4.0)
    synthetic.add("part", "data", "a", noise=0.05)
    column = ColumnSpec(label="Data", dataset="data", attribute="*")
    table = build_table(make_benchmark(["whole", "bad", "part"], [column]), synthetic.registry, synthetic.store)
    assert entry(table, "part").measured > entry(table, "whole").measured
    assert [entry(table, m).best for m in ("whole", "bad", "part")] == [True, False, False]
    assert "of those measured on most attributes, splits and seeds" in table.caption


def test_what_a_method_says_of_a_parameter_is_not_said_twice(synthetic, make_benchmark):
    from relattr import parameters
    from relattr.registry import registry

    registry.discover()
    method = registry.method("visual-chains").create({"k_ens": 20, "cells": 3})
    synthetic.add(
        "visual-chains", "data", "a", parameters=parameters.values_of(method), deviations=tuple(method.deviations())
    )
    column = ColumnSpec(label="Data", dataset="data", attribute="a")
    texts = build_table(make_benchmark(["visual-chains"], [column]), registry, synthetic.store).lines[0].entries[0].texts
    assert [text for text in texts if text.startswith("k_ens is 20")] == ["k_ens is 20, published 60"]
    assert "cells is 3, where the row has 2" in texts
    method = registry.method("viralnet").create({"preset": "fast", "updates": 50, "batch": 5})
    synthetic.add(
        "viralnet", "data", "a", parameters=parameters.values_of(method), deviations=tuple(method.deviations())
    )
    texts = build_table(make_benchmark(["viralnet"], [column]), registry, synthetic.store).lines[0].entries[0].texts
    assert len([text for text in texts if "updates" in text]) == 1
    assert "None" not in "".join(texts)


def test_what_the_benchmark_sets_is_not_in_the_name_of_a_row_and_comes_first(synthetic, make_benchmark):
    from relattr import parameters
    from relattr.registry import registry

    registry.discover()
    for rate in (0.001, 0.01):
        given = {"preset": "fast", "rate": rate}
        values = parameters.values_of(registry.method("siamese-alexnet").create(given))
        synthetic.add("siamese-alexnet", "data", "a", parameters=values)
    column = ColumnSpec(label="Data", dataset="data", attribute="a")
    benchmark = msgspec.structs.replace(
        make_benchmark(["siamese-alexnet"], [column]),
        set={"preset": "fast", "rate": 0.03, "siamese-alexnet.rate": 0.01, "viralnet.rate": 0.001},
    )
    lines = build_table(benchmark, registry, synthetic.store).lines
    label = registry.method("siamese-alexnet").label
    assert [line.label for line in lines] == [label, f"{label} [rate=0.001]"]
    assert [line.key for line in lines] == ["siamese-alexnet", "siamese-alexnet-rate-0.001"]


def test_an_attribute_that_was_not_run_is_called_so_beside_one_that_was(synthetic, make_benchmark):
    synthetic.add("m", "a", "x")
    synthetic.add("n", "a", "y")
    columns = [ColumnSpec(label=attribute, dataset="a", attribute=attribute) for attribute in ("x", "y")]
    table = build_table(make_benchmark(["m", "n"], columns), synthetic.registry, synthetic.store)
    assert entry(table, "m", 1).status == "not run"
    assert not any("not judged" in text for text in entry(table, "m", 1).texts)


def test_a_method_that_is_best_in_no_column_is_never_bold(synthetic, make_benchmark, columns):
    for dataset in ("a", "b"):
        synthetic.add("one", dataset, "x", noise=0.1)
        synthetic.add("third", dataset, "x", noise=8.0)
    table = build_table(make_benchmark(["one", "third"], columns), synthetic.registry, synthetic.store)
    assert [e.best for line in table.lines for e in line.entries] == [True, True, False, False]
    (row,) = [line for line in latex.to_latex(table).splitlines() if line.strip().startswith("third")]
    assert "bfseries" not in row


def test_one_dataset_only_and_a_name_of_markup(synthetic, make_benchmark, columns):
    label = "a_b & <script>"
    synthetic.add(label, "a", "x", label=label, noise=0.1)
    synthetic.add("m", "a", "x", noise=4.0)
    table = build_table(make_benchmark([label, "m"], columns), synthetic.registry, synthetic.store)
    assert entry(table, label).best
    assert (entry(table, label, 1).measured, entry(table, label, 1).status) == (None, "not run")
    assert r"a\_b \& \textless{}script\textgreater{}" in latex.to_latex(table)
    assert r"a\_b \& \<script\>" in to_markdown(table)
    assert label in to_csv(table)
    assert label in to_text(table)
    assert table.ranks is None


def test_images_and_seeds_are_told_apart(synthetic, make_benchmark):
    for seed in range(3):
        synthetic.add("m", "a", "x", seed, noise=0.6)
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    table = build_table(make_benchmark(["m"], [column]), synthetic.registry, synthetic.store)
    found = entry(table, "m")
    accuracies = [100 * r.tests[0].accuracy for r in synthetic.store]
    assert found.seed_spread == pytest.approx(np.std(accuracies, ddof=1))
    assert found.error_seeds == pytest.approx(np.std(accuracies, ddof=1) / 3**0.5)
    assert 0 < found.error_images < 10
    line = next(csv.DictReader(io.StringIO(to_csv(table))))
    assert float(line["error_seeds_points"]) == pytest.approx(found.error_seeds, abs=1e-6)
