"""Benchmarks in Python are those of the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import relattr
from relattr.errors import BadInput, UnknownName
from relattr.execution.processes import is_supported
from relattr.harness.export import RESULT_COLUMNS
from relattr.interface.benchmarks import TABLE_COLUMNS
from relattr.registry import registry

BACKEND = "local" if is_supported() else "inline"
pytestmark = pytest.mark.usefixtures("own_registry")


@pytest.fixture
def bench(workspace):
    """A function that runs the benchmark of the workspace, which has a method that works and one that fails."""
    workspace.write_method("works")
    workspace.write_method("fails", "raise ValueError('it cannot')")
    file = workspace.write_benchmark()

    def run(**settings):
        folders = {"results": workspace.folder / "results", "plugins": workspace.plugins}
        return relattr.run(str(file), **{**folders, "backend": "inline", "verbose": False, **settings})

    return run


@pytest.mark.skipif(not is_supported(), reason="separate processes for cells are supported on Linux only")
def test_cells_run_in_processes_of_their_own(bench, workspace, no_process_left, capsys):
    frame = bench(backend="local", verbose=True)
    assert list(frame.columns) == list(RESULT_COLUMNS)
    rows = frame.set_index("method")
    assert rows["status"].to_dict() == {"works": "ok", "fails": "failed"}
    assert rows.loc["works", "accuracy"] == 1.0
    assert "it cannot" in rows.loc["fails", "reason"]
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.partition("] ")[2] for line in lines) == [
        "fails on tiny/a0/standard, seed 0: failed: ValueError: it cannot",
        "works on tiny/a0/standard, seed 0: test 100.00 %",
    ]
    assert [line[:5] for line in lines] == ["[1/2]", "[2/2]"]


def test_a_second_run_computes_nothing(bench, capsys):
    first = bench()
    assert bench(verbose=True).equals(first)
    assert capsys.readouterr().out == ""
    assert bench(methods="fails", retry="failed", verbose=True)["status"].tolist() == ["failed"]
    assert capsys.readouterr().out.startswith("[1/1] fails on tiny")


def test_a_method_of_this_session_needs_to_run_inline(bench, monkeypatch):
    monkeypatch.setattr(registry.methods["brightness"].cls, "__module__", "__main__")
    with pytest.raises(BadInput, match="brightness: defined in this session"):
        bench(methods="brightness", backend="local")
    assert bench(methods="brightness")["status"].tolist() == ["ok"]


def test_a_part_is_selected_by_patterns(bench):
    assert bench(methods="w*")["method"].tolist() == ["works"]
    assert bench(methods=["works"], seeds=[3, 4, 3])["seed"].tolist() == [3, 4]
    assert bench(methods=["works"], seeds=0)["seed"].tolist() == [0]
    assert bench(methods=["works"], seeds=np.int64(3))["seed"].tolist() == [3]
    for seeds in (np.arange(2), list(np.arange(2)), range(2)):
        assert bench(methods=["works"], seeds=seeds)["seed"].tolist() == [0, 1]


def test_parameters_are_set(bench):
    frame = bench(methods="works", parameters={"tiny.n_attributes": 2}, attributes="a1")
    ((attribute, parameters),) = frame[["attribute", "dataset_parameters"]].values.tolist()
    assert attribute == "a1"
    assert json.loads(parameters) == {"fingerprint_text": "tiny-1", "n_attributes": 2}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"methods": "wroks"}, UnknownName, "did you mean works"),
        ({"retry": "fialed"}, UnknownName, "did you mean failed"),
        ({"backend": "inlin"}, UnknownName, "did you mean inline"),
        ({"device": "tpu"}, BadInput, "'tpu' is not a device"),
        ({"time_limit": "soon"}, BadInput, "'soon' is not a duration"),
        ({"parameters": {"depth": 3}}, UnknownName, "'depth'"),
        ({"seeds": -1}, BadInput, "seeds are .-1.; expected integers from 0"),
        ({"seeds": True}, BadInput, "seeds are .True.; expected integers"),
        ({"seeds": [1, True]}, BadInput, "seeds are .1, True.; expected integers"),
        ({"seeds": 1.0}, BadInput, "seeds are .1.0.; expected integers"),
        ({"seeds": "3"}, BadInput, "seeds are .'3'.; expected integers"),
        ({"seeds": [[3]]}, BadInput, "seeds are ..3..; expected integers"),
        ({"seeds": np.array(3.0)}, BadInput, "seeds are .array.3...; expected integers"),
    ],
)
def test_a_selection_that_is_not_valid_is_refused(bench, settings, error, message):
    with pytest.raises(error, match=message):
        bench(**settings)


def test_an_unknown_benchmark_suggests_similar_ones():
    with pytest.raises(UnknownName, match="did you mean quick"):
        relattr.run("quik")


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
