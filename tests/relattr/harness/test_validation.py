"""A misspelt name in a benchmark file or an option is an error that offers similar names."""

from __future__ import annotations

import re

import pytest

import relattr
from relattr import UnknownName

COLUMN = "columns = [{label = 'Tiny', dataset = 'tiny'}]"


@pytest.mark.parametrize(
    ("more", "column", "message"),
    [
        ("[set]\ngamam = 1", COLUMN, "no parameter of a method ([set] of benchmark bench) is called 'gamam'; did you"),
        ("[set]\n'plian.gamma' = 1", COLUMN, "is called 'plian'; did you mean plain"),
        ("[set]\n'plain.gamam' = 1", COLUMN, "no parameter of plain ([set] of benchmark bench) is called 'gamam'"),
        ("[dataset.tinny]\nn_attributes = 1", COLUMN, "([dataset.tinny] of benchmark bench) is called 'tinny'"),
        ("[method_limits.'plian*']\ntime = '5m'", COLUMN, "([method_limits] of benchmark bench) is called 'plian*'"),
        ("[variants]\nplian = [{gamma = 1}]", COLUMN, "([variants] of benchmark bench) is called 'plian'"),
        ("[variants]\nplain = [{gamam = 1}]", COLUMN, "([variants] of benchmark bench) is called 'gamam'"),
        ("", "columns = [{label = 'Tiny', dataset = 'tinny'}]", "(a column of benchmark bench) is called 'tinny'"),
        (
            "",
            "columns = [{label = 'Tiny', dataset = 'tiny', attribute = 'a7'}]",
            "no attribute of tiny (a column of benchmark bench) is called 'a7'; known: a0",
        ),
        (
            "",
            "columns = [{label = 'Tiny', dataset = 'tiny', split = 'standart'}]",
            "no split of tiny (a column of benchmark bench) is called 'standart'; did you mean standard",
        ),
    ],
)
def test_an_unknown_name_is_an_error(workspace, more, column, message):
    workspace.write_method("plain", parameters="gamma: float = 1.0")
    path = workspace.write_benchmark(more=more)
    path.write_text(path.read_text().replace(COLUMN, column))
    assert message in workspace.relattr("plan", code=2)


@pytest.mark.parametrize(
    "more", ["[set]\nplain.gamma = 2.0", "[set]\nplain = {gamma = 2.0}", "[set.plain]\ngamma = 2.0"]
)
def test_a_name_with_a_dot_is_to_be_quoted(workspace, more):
    workspace.write_method("plain", parameters="gamma: float = 1.0")
    workspace.write_benchmark(more=more)
    message = 'benchmark bench: [set] has a table plain; write its parameters as "plain.gamma"'
    assert message in workspace.relattr("plan", code=2)


def test_splits_of_data_that_is_missing_are_not_known(workspace):
    workspace.write_method("plain")
    path = workspace.write_benchmark(more="[dataset.folder]\npath = 'not-here'")
    column = "columns = [{label = 'Own', dataset = 'folder', split = 'fold 1'}]"
    path.write_text(path.read_text().replace(COLUMN, column))
    assert "1 missing" in workspace.relattr("plan")


def test_valid_settings_are_accepted(workspace):
    workspace.write_method("plain", parameters="gamma: float = 1.0")
    path = workspace.write_benchmark(
        more="[set]\ngamma = 2.0\n'plain.gamma' = 3.0\n[dataset.tiny]\nn_attributes = 2\n"
        "[method_limits.'pl*']\ntime = '5m'"
    )
    path.write_text(
        path.read_text().replace(COLUMN, COLUMN.replace("'tiny'}", "'tiny', attribute = 'a1', split = 'standard'}"))
    )
    assert "2 cells: 2 missing" in workspace.relattr("plan", "--time-limit", "p*=1m")


def test_unregistered_methods_may_have_any_parameters(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark(methods=["plain", "not-yet"], more="[set]\nunknown = 1")
    assert "Listed in the benchmark but not registered: not-yet" in workspace.relattr("status")


@pytest.mark.parametrize(
    ("listed", "misspelt", "message"),
    [
        (
            "['plain']",
            "['plain', 'plian']",
            "no method (in benchmark bench; --plugins DIR loads others) is called 'plian'",
        ),
        ("['plain']", "['plian']", "no method (in benchmark bench; --plugins DIR loads others) is called 'plian'"),
        (
            "['tiny']",
            "['tiny', 'tinny']",
            "no dataset (in benchmark bench; --plugins DIR loads others) is called 'tinny'",
        ),
    ],
)
@pytest.mark.usefixtures("own_registry")
def test_a_listed_name_that_is_not_registered_is_not_run(workspace, listed, misspelt, message):
    workspace.write_method("plain")
    path = workspace.write_benchmark()
    path.write_text(path.read_text().replace(f"= {listed}", f"= {misspelt}"))
    for command in ("run", "plan"):
        output = workspace.relattr(command, code=2)
        assert message in output
        assert f"did you mean {listed[2:-2]}" in output
    with pytest.raises(UnknownName, match=re.escape(message)):
        relattr.run(str(path), results=workspace.folder / "results", plugins=workspace.plugins, backend="inline")
    assert not (workspace.folder / "results").exists()


def test_a_name_that_is_not_selected_need_not_be_registered(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark(methods=["plain", "elsewhere"])
    assert "1 cell computed" in workspace.relattr("run", "--methods", "plain")
    assert "elsewhere" in workspace.relattr("tables", "--out", str(workspace.folder / "out"))


def test_a_plugin_that_cannot_be_imported_costs_no_other(workspace):
    workspace.write_method("plain")
    workspace.write_method("broken", imports="import nothing_like_it")
    workspace.write_benchmark()
    output = workspace.relattr("run")
    assert "Listed in the benchmark but not registered: broken" in output
    assert "1 cell computed" in output


def test_a_limit_without_a_matching_method_is_an_error(workspace):
    workspace.write_method("plain")
    workspace.write_benchmark()
    assert "--time-limit: no selected method is called 'plian'; did you mean plain" in workspace.relattr(
        "plan", "--time-limit", "plian=5m", code=2
    )
