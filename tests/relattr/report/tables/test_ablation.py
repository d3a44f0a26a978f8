"""The ablation table: differences from a base method, consistent with the accuracies of the table."""

import csv
import io
import re

import pytest

from relattr import UnknownName
from relattr.report.formats.csv import ablation_to_csv
from relattr.report.formats.latex.ablation import ablation_to_latex
from relattr.report.formats.markdown import ablation_to_markdown
from relattr.report.formats.text import ablation_to_text
from relattr.statistics import holm

NASTY = r"=a_b & <b>100%</b> $x$ #1 {y} \end{document}"


@pytest.fixture
def three(synthetic, two_columns):
    """Builds a table of three methods, compared with one of them."""
    for method, noise in (("plain", 1.0), ("better", 0.3), ("same", 1.01)):
        for dataset in "ab":
            for attribute in "xy":
                for seed in (0, 1):
                    synthetic.add(method, dataset, attribute, seed, noise=noise)

    def against(base, methods=("plain", "better", "same")):
        return synthetic.table(methods, two_columns, against=base)

    return against


def effect(ablation, label, column=0):
    return next(row for row in ablation.rows if row.label == label).effects[column]


def test_an_effect_is_the_difference_of_two_accuracies(three):
    table = three("plain")
    base, better, _ = (row.entries for row in table.rows)
    for k in (0, 1):
        better_effect = effect(table.ablation, "better", k)
        assert better_effect.value == pytest.approx(better[k].measured - base[k].measured)
        assert better_effect.lower < better_effect.value < better_effect.upper
        assert better_effect.significant
        assert not better_effect.partial
        assert not effect(table.ablation, "same", k).significant
    assert table.ablation.accuracies == pytest.approx([entry.measured for entry in base])
    assert [row.label for row in table.ablation.rows] == ["better", "same"]
    for inner in table.attribute_tables:
        difference = inner.rows[1].entries[2].measured - inner.rows[0].entries[2].measured
        assert effect(inner.ablation, "better", 2).value == pytest.approx(difference)


def test_exchanging_base_and_method_changes_the_sign(three):
    forward, backward = effect(three("plain").ablation, "better"), effect(three("better").ablation, "plain")
    assert (forward.value, forward.lower, forward.upper) == pytest.approx(
        (-backward.value, -backward.upper, -backward.lower)
    )


def test_p_values_are_adjusted_over_the_column(three, synthetic, two_columns, tmp_path):
    raw = {}
    for method in ("better", "same"):
        alone = type(synthetic)(tmp_path / method)
        for name, noise in (("plain", 1.0), (method, {"better": 0.3, "same": 1.01}[method])):
            for dataset in "ab":
                for attribute in "xy":
                    for seed in (0, 1):
                        alone.add(name, dataset, attribute, seed, noise=noise)
        raw[method] = effect(alone.table(["plain", method], two_columns, against="plain").ablation, method).p
    together = three("plain").ablation
    assert [effect(together, method).p for method in raw] == pytest.approx(holm(list(raw.values())))


def test_attributes_that_only_one_has_are_left_out_and_noted(synthetic, mean_column):
    for attribute in "xy":
        synthetic.add("plain", "a", attribute)
    synthetic.add("half", "a", "x", noise=0.3)
    synthetic.add("other rule", "a", "y", noise=0.3, ties="half")  # cannot be judged pair by pair
    table = synthetic.table(["plain", "half", "other rule"], [mean_column], against="plain")
    half = effect(table.ablation, "half")
    assert half.partial
    on_x = table.attribute_tables[0].rows
    assert half.value == pytest.approx(on_x[1].entries[0].measured - on_x[0].entries[0].measured)
    assert [row.label for row in table.ablation.rows] == ["half"]
    for to_format in (ablation_to_latex, ablation_to_markdown, ablation_to_text):
        assert "over the attributes and splits that both have" in to_format(table.ablation)
    (line,) = csv.DictReader(io.StringIO(ablation_to_csv(table.ablation)))
    assert (line["row"], line["part"]) == ("half", "yes")


def test_a_failed_base_is_compared_with_nothing(synthetic, column):
    synthetic.add("plain", "a", "x", status="failed")
    synthetic.add("other", "a", "x")
    ablation = synthetic.table(["plain", "other"], [column], against="plain").ablation
    assert ablation.rows == ()
    assert ablation.accuracies == (None,)
    assert "plain" in ablation_to_text(ablation)


def test_labels_are_escaped(synthetic, column):
    synthetic.add("plain", "a", "x", label=NASTY)
    synthetic.add("other", "a", "x", label=NASTY, noise=0.2)
    ablation = synthetic.table(["plain", "other"], [column], against="plain").ablation
    latex = ablation_to_latex(ablation)
    assert r"\end{document}" not in latex
    assert re.search(r"(?<!\\)#1", latex) is None
    assert "<b>" not in ablation_to_markdown(ablation).replace(r"\<b", "")
    assert "\n=a" not in ablation_to_csv(ablation)
    assert ",=a" not in ablation_to_csv(ablation)


def test_an_unknown_base_is_refused_with_the_alternatives(three):
    with pytest.raises(UnknownName, match="better"):
        three("beter")
