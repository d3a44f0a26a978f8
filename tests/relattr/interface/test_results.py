"""Stored results in Python are what the commands ``export``, ``tables`` and ``report`` write."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import relattr
from relattr.errors import BadInput
from relattr.harness.export import RESULT_COLUMNS
from relattr.interface.results import TABLE_COLUMNS

pytestmark = pytest.mark.usefixtures("own_registry")


def test_results_are_what_export_writes(bench, workspace):
    bench()
    folders = {"folder": workspace.folder / "results", "plugins": workspace.plugins}
    frame = relattr.results(**folders)
    assert frame.equals(relattr.results(str(workspace.folder / "results"), plugins=str(workspace.plugins)))
    workspace.relattr("export", "--out", "all.csv")
    exported = pd.read_csv(workspace.folder / "all.csv", dtype="string")
    assert list(exported.columns) == list(frame.columns)
    for name in ("method", "status", "key", "accuracy", "n_correct", "state", "fingerprints"):
        assert exported[name].fillna("").tolist() == frame[name].astype("string").fillna("").tolist(), name


def test_stale_and_unreadable_results_are_named(bench, workspace):
    bench()
    folder = workspace.folder / "results"
    next(folder.rglob("*fails*/*.json")).write_text("{}")
    workspace.write_method("works", "self.changed_ = 1.0")
    with pytest.warns(UserWarning, match="left out") as caught:
        frame = relattr.results(folder, plugins=workspace.plugins)
    messages = " ".join(str(warning.message) for warning in caught)
    assert "left out, stale: 1 cells; keep_stale=True includes them" in messages
    assert "left out, not a result" in messages
    assert frame.empty
    with pytest.warns(UserWarning, match="not a result"):
        kept = relattr.results(folder, plugins=workspace.plugins, keep_stale=True)
    assert kept["state"].tolist() == ["stale"]


def test_a_table_has_a_row_for_each_method_and_column(bench, workspace):
    bench()
    folders = {"results": workspace.folder / "results", "plugins": workspace.plugins}
    table = relattr.table(str(workspace.folder / "bench.toml"), **folders)
    assert list(table.columns) == list(TABLE_COLUMNS)
    rows = table.set_index("key")
    assert rows.loc["works", "measured"] == 100.0
    assert rows.loc["works", "lower"] < 100.0 == rows.loc["works", "upper"]
    assert rows.loc["fails", "status"] == "failed"
    assert pd.isna(rows.loc["fails", "measured"])


def test_a_report_shows_itself_and_is_saved(bench, workspace, tmp_path):
    bench()
    folders = {"results": workspace.folder / "results", "plugins": workspace.plugins}
    page = relattr.report_page(str(workspace.folder / "bench.toml"), audit=False, **folders)
    assert "it cannot" in page.html
    shown = page._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert "<script" not in shown
    assert "<html" not in repr(page)
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.html


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    for call in (relattr.results, lambda folder: relattr.table("quick", results=folder)):
        with pytest.raises(BadInput, match=r"the results folder .*none does not exist"):
            call(tmp_path / "none")


def test_every_column_is_explained_on_the_page():
    page = (Path(__file__).parents[3] / "docs" / "python.md").read_text(encoding="utf-8")
    for heading, columns in (("### Columns of results", RESULT_COLUMNS), ("### Columns of tables", TABLE_COLUMNS)):
        section = page.partition(heading)[2].partition("\n##")[0]
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        explained = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
        assert sorted(explained) == sorted(columns)
