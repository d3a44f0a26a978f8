"""Notes on results: deviations, leaks, other parameters, and what is missing from a mean."""

import re
from functools import partial

import msgspec
import pytest

from relattr import Dataset, parameters
from relattr.audit import ONE_ORIENTATION, VERSION, Audit, Observation
from relattr.harness.benchmark import ColumnSpec
from relattr.harness.cell import Cell
from relattr.harness.data_identity import identify_data
from relattr.harness.own_data import is_own
from relattr.harness.result import TestResult
from relattr.registry import Plugin
from relattr.report.formats.csv import table_to_csv
from relattr.report.formats.latex.notes import notes_to_latex
from relattr.report.formats.latex.table import table_to_latex
from relattr.report.formats.markdown import table_to_markdown
from relattr.report.formats.text import table_to_text
from relattr.report.tables.audits import LeakNote, NoAudit, leak_notes
from relattr.report.tables.result_notes import ties_note
from relattr.report.tables.short_notes import EARLIER_CODE, INCOMPLETE, NOT_AUDITED, NOT_LOADED, OVERLAP, SIDES


def test_every_deviation_note_and_leak_is_in_every_format(synthetic, column):
    synthetic.add("m", "a", "x", deviations=("another backbone",), notes=("other labels",), test_note="images shared")
    table = synthetic.table(["m"], [column], leaks={"a": [LeakNote("audit: one image is in both")]})
    in_full = [partial(to_format, notes="full") for to_format in (table_to_latex, table_to_text)]
    for to_format in (*in_full, notes_to_latex, table_to_csv, table_to_markdown):
        for note in ("another backbone", "other labels", "images shared", "audit: one image is in both"):
            assert note in to_format(table)


@pytest.mark.parametrize(
    ("kind", "short"),
    [("shared images", OVERLAP), ("shared content", OVERLAP), ("shared pairs", OVERLAP), (ONE_ORIENTATION, SIDES)],
)
def test_the_short_note_of_a_leak_says_of_which_kind_it_is(synthetic, column, kind, short):
    synthetic.add("m", "a", "x")
    leak = Observation("leak", kind, "a/x/standard test", "a leak", ("a/x/standard test",))
    leaks = leak_notes({"a": Audit(VERSION, "a", "", True, (leak,))})
    text = table_to_text(synthetic.table(["m"], [column], leaks=leaks), notes="short")
    assert {note for note in (OVERLAP, SIDES, NOT_AUDITED) if note in text} == {short}


def test_data_whose_audit_failed_is_not_said_to_overlap(synthetic, column):
    synthetic.add("m", "a", "x")
    table = synthetic.table(["m"], [column], leaks=leak_notes({"a": NoAudit("the audit failed: x", failed=True)}))
    text = table_to_text(table, notes="short")
    assert NOT_AUDITED in text
    assert OVERLAP not in text


def test_a_leak_is_noted_at_the_numbers_it_affects(synthetic, entry_of):
    columns = [ColumnSpec(label=attribute, dataset="a", attribute=attribute) for attribute in ("x", "y")]
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    table = synthetic.table(["m"], columns, leaks={"a": [LeakNote("leaks", frozenset({"a/x/standard test"}))]})
    assert "leaks" in entry_of(table, "m", 0).notes
    assert "leaks" not in entry_of(table, "m", 1).notes


def test_missing_attributes_are_named_with_the_reason(synthetic, mean_column, entry_of):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    synthetic.add("n", "a", "x")
    synthetic.add("n", "a", "y", status="timeout", reason="took too long")
    table = synthetic.table(["m", "n"], [mean_column])
    assert "1/2: mean over x only; y: took too long" in entry_of(table, "n").notes


def test_a_mean_over_part_of_the_attributes_shows_which_part(synthetic, mean_column):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute)
    synthetic.add("n", "a", "x")
    synthetic.add("n", "a", "y", status="timeout", reason="took too long")
    table = synthetic.table(["m", "n"], [mean_column])
    whole, part = (row.entries[0].part for row in table.rows)
    assert (whole, part) == ("", "1/2")
    for to_format in (table_to_latex, table_to_text, table_to_markdown):
        beside_numbers = re.findall(r"\d\.\d\d[^\n]*\b1/2\b", to_format(table))
        assert len(beside_numbers) == 1, to_format


def test_missing_seeds_are_named_with_the_reason(synthetic):
    for seed in (0, 1, 2):
        synthetic.add("whole", "a", "x", seed)
    synthetic.add("part", "a", "x", 0)
    synthetic.add("part", "a", "x", 2, status="timeout", reason="took longer than 5m")
    synthetic.add("other", "a", "x", 7)
    part, whole, other = (synthetic.entry(m, seeds=(0, 1, 2)).notes for m in ("part", "whole", "other"))
    assert "2 of 3 cells are missing: seed 2: timeout: took longer than 5m; seed 1: not run" in part
    assert not [note for note in whole if "cells" in note]
    assert "2 of 3 cells are missing: seed 0: not run; seed 1: not run" in other


def test_many_ties_are_noted():
    def test(n_tied, ties="error"):
        return TestResult("test", 10, 120, 100, 0, n_tied, ties=ties)

    assert ties_note([test(5), test(4)]) == []
    expected = "20 % of the test pairs are predicted as ties, which count as errors"
    assert ties_note([test(40), test(0)]) == [expected]
    assert ties_note([test(100, "half")]) == []


def test_other_seeds_than_the_benchmarks_are_as_good(synthetic):
    synthetic.add("m", "a", "x", 5)
    entry = synthetic.entry("m", seeds=(0,))
    assert not [note for note in entry.notes if "cells" in note]
    assert INCOMPLETE not in entry.short_notes


def test_missing_splits_are_named(synthetic, mean_column, entry_of):
    class Splits(Dataset):
        """Two attributes, four splits."""

        name = "a"

        def attributes(self):
            return ["x", "y"]

        def splits(self):
            return ["s0", "s1", "s2", "s3"]

        def fingerprint(self):
            return "a"

    synthetic.registry.datasets["a"] = Plugin("a", "A", Splits, {})
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute, split="s2")
    synthetic.add("m", "a", "y", split="s1")
    notes = entry_of(synthetic.table(["m"], [mean_column]), "m").notes
    assert [note for note in notes if "cells" in note] == [
        "5 of 8 cells are missing: x/s0, seed 0: not run; x/s1, seed 0: not run; x/s3, seed 0: not run; "
        "y/s0, seed 0: not run; and 1 more"
    ]
    one_split = ColumnSpec(label="A", dataset="a", split="s2")
    notes = entry_of(synthetic.table(["m"], [one_split]), "m").notes
    assert not [note for note in notes if "cells" in note]


def test_a_parameter_that_the_method_reports_is_noted_once(synthetic, plugins):
    method = plugins.method("visual-chains").create({"k_ens": 20, "cells": 3})
    values, deviations = parameters.values_of(method), tuple(method.deviations())
    synthetic.add("visual-chains", "a", "x", parameters=values, deviations=deviations)
    column = ColumnSpec(label="A", dataset="a", attribute="x")
    notes = synthetic.table(["visual-chains"], [column], registry=plugins).rows[0].entries[0].notes
    assert [note for note in notes if note.startswith("k_ens is 20")] == ["k_ens is 20, published 60"]
    assert "cells is 3 (default: 2)" in notes


def test_a_preset_value_is_not_noted(synthetic, plugins, column):
    method = plugins.method("viralnet").create({"preset": "fast", "updates": 50, "batch": 5})
    values, deviations = parameters.values_of(method), tuple(method.deviations())
    synthetic.add("viralnet", "a", "x", parameters=values, deviations=deviations)
    notes = synthetic.table(["viralnet"], [column], registry=plugins).rows[0].entries[0].notes
    assert len([note for note in notes if "updates" in note]) == 1
    assert "None" not in "".join(notes)


def test_a_parameter_that_no_longer_exists_is_called_so(synthetic, plugins, column):
    values = {**parameters.values_of(plugins.method("ranksvm-gist").create()), "folds": 5, "vocabulary": "DD50"}
    synthetic.add("ranksvm-gist", "a", "x", parameters=values)
    notes = synthetic.table(["ranksvm-gist"], [column], registry=plugins).rows[0].entries[0].notes
    assert "folds is 5 (no longer a parameter)" in notes
    assert not any("vocabulary" in note for note in notes)  # the published value


PAPER = "the paper does not say how images are resized"


def test_deviations_from_papers_are_not_noted_on_own_data(synthetic, column, entry_of):
    """Nobody has published a number for a person's own photographs."""
    result = synthetic.add("m", "a", "x", deviations=("another backbone",), method_notes=("it has a flaw", PAPER))
    where = {"data": "digest", "location": {"path": "photos"}}
    own = msgspec.structs.replace(result, cell=msgspec.structs.replace(result.cell, method="own", **where))
    synthetic.store.write(own, synthetic.store.arrays(result))
    table = synthetic.table(["m", "own"], [column])
    assert {"another backbone", "it has a flaw", PAPER} <= set(entry_of(table, "m").notes)
    notes = next(row for row in table.rows if row.key == "own").entries[0].notes
    assert not {"another backbone", PAPER} & set(notes)
    assert "it has a flaw" in notes


def test_released_data_in_a_folder_of_the_user_is_not_own_data(plugins):
    assert is_own(cell_on(plugins, "folder"))
    for name in ("osr", "glyphs", "pubfig", "osr-shipped"):
        assert not is_own(cell_on(plugins, name))


def cell_on(plugins, name):
    data = identify_data(plugins.dataset(name).create())
    return Cell("m", {}, name, data.dataset_parameters, "x", "standard", 0, data.data, data.location)


@pytest.mark.parametrize(
    ("method", "dataset", "kind", "note"),
    [
        ("elsewhere", "glyphs", NOT_LOADED, "computed by a plugin that is not installed, elsewhere"),
        ("chance", "elsewhere", NOT_LOADED, "computed by a plugin that is not installed, elsewhere"),
        ("chance", "glyphs", EARLIER_CODE, "computed with code or data that has changed since"),
    ],
)
def test_what_is_not_loaded_is_not_called_earlier_code(synthetic, plugins, method, dataset, kind, note):
    values = parameters.values_of(plugins.dataset(dataset).create()) if dataset == "glyphs" else {}
    synthetic.add(method, dataset, "local", dataset_parameters=values)
    column = ColumnSpec(label="A", dataset=dataset, attribute="local")
    table = synthetic.table([method], [column], registry=plugins)
    (entry,) = table.rows[0].entries
    assert [text for text in entry.short_notes if text in (NOT_LOADED, EARLIER_CODE)] == [kind]
    assert any(text.startswith(note) for text in entry.notes)
    assert kind in table_to_latex(table)
