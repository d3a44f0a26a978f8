"""What methods add to one of them: the same numbers as in the table, turned around where the two change places."""

import csv
import io
import re

import pytest
from click.testing import CliRunner

from relattr import UnknownName
from relattr.cli import cli
from relattr.harness.benchmark import ColumnSpec
from relattr.report.formats import write_ablation
from relattr.report.formats.latex_ablation import to_latex_gains
from relattr.report.tables.builder import build_table
from relattr.statistics import holm

NASTY = r"=a_b & <b>100%</b> $x$ #1 {y} \end{document}"


@pytest.fixture
def three(synthetic, make_benchmark, columns):
    for method, noise in (("plain", 1.0), ("better", 0.3), ("same", 1.01)):
        for dataset in "ab":
            for attribute in "xy":
                for seed in (0, 1):
                    synthetic.add(method, dataset, attribute, seed, noise=noise)
    benchmark = make_benchmark(["plain", "better", "same"], columns)

    def against(method):
        return build_table(benchmark, synthetic.registry, synthetic.store, against=method)

    return against


def gain(gains, label, column=0):
    return next(line for line in gains.lines if line.label == label).gains[column]


def test_a_gain_is_the_difference_of_two_accuracies_of_the_table(three):
    table = three("plain")
    base, better, _ = (line.entries for line in table.lines)
    for k in (0, 1):
        found = gain(table.gains, "better", k)
        assert found.value == pytest.approx(better[k].measured - base[k].measured)
        assert found.low < found.value < found.high
        assert found.real
        assert not found.part
        assert not gain(table.gains, "same", k).real
    assert table.gains.accuracies == pytest.approx([e.measured for e in base])
    assert [line.label for line in table.gains.lines] == ["better", "same"]
    for behind in table.behind:
        assert gain(behind.gains, "better", 2).value == pytest.approx(
            behind.lines[1].entries[2].measured - behind.lines[0].entries[2].measured
        )


def test_it_turns_around_where_the_two_change_places(three):
    there, back = gain(three("plain").gains, "better"), gain(three("better").gains, "plain")
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_p_values_are_adjusted_for_all_that_a_column_compares(three, synthetic, make_benchmark, columns):
    alone = {
        method: gain(
            build_table(
                make_benchmark([method, "plain"], columns),
                synthetic.registry,
                _only(synthetic, method),
                against="plain",
            ).gains,
            method,
        ).p
        for method in ("better", "same")
    }
    together = three("plain").gains
    assert [gain(together, m).p for m in alone] == pytest.approx(holm(list(alone.values())))


def _only(synthetic, method):
    """The store with the results of one method and of ``plain``."""
    kept = [r for r in synthetic.store if r.cell.method in (method, "plain")]

    class Some(type(synthetic.store)):
        def __iter__(self):
            return iter(kept)

    return Some(synthetic.store.folder)


def test_what_one_of_the_two_lacks_is_left_out_and_said(synthetic, make_benchmark):
    for attribute in "xy":
        synthetic.add("plain", "a", attribute)
    synthetic.add("half", "a", "x", noise=0.3)
    synthetic.add("elsewhere", "a", "y", noise=0.3, ties="half")  # judged by another rule: no pairs to compare on
    table = build_table(
        make_benchmark(["plain", "half", "elsewhere"], [ColumnSpec(label="A", dataset="a")]),
        synthetic.registry,
        synthetic.store,
        against="plain",
    )
    found = gain(table.gains, "half")
    assert found.part
    on_x = table.behind[0]
    assert found.value == pytest.approx(on_x.lines[1].entries[0].measured - on_x.lines[0].entries[0].measured)
    assert "elsewhere" not in [line.label for line in table.gains.lines]
    for made in (
        to_latex_gains(table.gains),
        write_ablation.to_markdown(table.gains),
        write_ablation.to_text(table.gains),
    ):
        assert "over the attributes and splits that both have" in made
    (line,) = csv.DictReader(io.StringIO(write_ablation.to_csv(table.gains)))
    assert (line["row"], line["part"]) == ("half", "yes")


def test_a_base_that_was_not_measured_compares_with_nothing(synthetic, make_benchmark):
    synthetic.add("plain", "a", "x", status="failed")
    synthetic.add("other", "a", "x")
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    found = build_table(make_benchmark(["plain", "other"], [column]), synthetic.registry, synthetic.store, against="plain")
    assert found.gains.lines == ()
    assert found.gains.accuracies == (None,)
    assert "plain" in write_ablation.to_text(found.gains)


def test_names_are_escaped(synthetic, make_benchmark):
    synthetic.add("plain", "a", "x", label=NASTY)
    synthetic.add("other", "a", "x", label=NASTY, noise=0.2)
    column = ColumnSpec(label=NASTY, dataset="a", attribute="x")
    made = build_table(make_benchmark(["plain", "other"], [column]), synthetic.registry, synthetic.store, against="plain")
    latex = to_latex_gains(made.gains)
    assert r"\end{document}" not in latex
    assert re.search(r"(?<!\\)#1", latex) is None
    assert "<b>" not in write_ablation.to_markdown(made.gains).replace(r"\<b", "")
    assert "\n=a" not in write_ablation.to_csv(made.gains)
    assert ",=a" not in write_ablation.to_csv(made.gains)


def test_an_unknown_base_is_refused_with_those_there_are(three):
    with pytest.raises(UnknownName, match="better"):
        three("beter")


def test_the_command_prints_and_writes_them(tmp_path):
    results = tmp_path / "results"
    arguments = ["quick", "--results", str(results), "--methods", "chance", "--seeds", "0", "--attributes", "global"]
    runner = CliRunner()
    made = runner.invoke(cli, ["run", *arguments, "--backend", "inline", "-q"])
    assert made.exit_code == 0, made.output
    out = tmp_path / "out"
    shown = runner.invoke(
        cli, ["tables", "quick", "--results", str(results), "--out", str(out), "--against", "chance", "--no-audit"]
    )
    assert shown.exit_code == 0, shown.output
    assert "against Chance" in shown.output
    assert {p.suffix for p in out.glob("quick-against-chance.*")} == {".tex", ".csv", ".md"}
    wrong = runner.invoke(cli, ["tables", "quick", "--results", str(results), "--against", "chanze", "--no-audit"])
    assert isinstance(wrong.exception, UnknownName)
    assert "chance" in str(wrong.exception)
