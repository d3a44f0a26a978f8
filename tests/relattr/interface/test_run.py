"""`relattr.run` computes what the command line does."""

from __future__ import annotations

import json

import numpy as np
import pytest

import relattr
from relattr.errors import BadInput, UnknownName
from relattr.execution.processes import is_supported
from relattr.harness.export import RESULT_COLUMNS
from relattr.registry import registry

pytestmark = pytest.mark.usefixtures("own_registry")


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
