"""A table that would show no result: an error if there are others, else the command to run."""

import pytest
from click.testing import CliRunner

from relattr import BadInput, parameters
from relattr.cli import cli

BENCHMARK = """
title = "Synthetic"
methods = ["chance", "viralnet", "popularity-api"]
datasets = ["glyphs"]
[table]
caption = ""
columns = [{ label = "Global", dataset = "glyphs", attribute = "global" }, { label = "Local", dataset = "glyphs" }]
"""


@pytest.fixture
def show(tmp_path, monkeypatch):
    """Runs a command on a benchmark."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "bench.toml").write_text(BENCHMARK)

    def run(command, *arguments):
        out = ["--out", "out" if command == "tables" else "out/bench.html"]
        return CliRunner().invoke(cli, [command, "bench.toml", *arguments, *out, "--no-audit"])

    return run


@pytest.fixture
def add(synthetic, plugins):
    """Adds a result of chance on the attribute local of glyphs."""

    def run(status="ok", **changed):
        values = parameters.values_of(plugins.dataset("glyphs").create())
        synthetic.add("chance", "glyphs", "local", status=status, dataset_parameters={**values, **changed})

    return run


@pytest.mark.parametrize("command", ["tables", "report"])
@pytest.mark.parametrize(
    ("changed", "arguments"),
    [
        ({}, ["--methods", "viralnet"]),
        ({}, ["--attributes", "global"]),
        ({}, ["--methods", "chance", "--attributes", "global"]),
        ({"size": 999}, []),
        ({"size": 999}, ["--methods", "chance"]),
    ],
    ids=str,
)
def test_a_choice_of_no_result_is_an_error_that_says_so(show, add, tmp_path, command, changed, arguments):
    add(**changed)
    outcome = show(command, *arguments)
    assert isinstance(outcome.exception, BadInput)
    selection = " with this selection" if arguments else ""
    assert str(outcome.exception) == (
        f"no results of bench{selection}, but 1 other result on glyphs (relattr status): "
        f"{' '.join(['relattr run bench.toml', *arguments])}"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["tables", "report"])
def test_without_any_results_the_command_is_printed(show, tmp_path, command):
    outcome = show(command, "--methods", "chance")
    assert outcome.exit_code == 0
    assert outcome.stderr == "no results of bench yet: relattr run bench.toml --methods chance\n"
    assert list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_one_result_or_failure_is_shown(show, add, status):
    add(status)
    outcome = show("tables")
    assert outcome.exit_code == 0
    assert outcome.stderr == ""


def test_published_rows_need_no_results(show, add):
    add(size=999)
    assert show("tables", "--methods", "popularity-api").exit_code == 0
    assert "no results of bench" in str(show("tables", "--methods", "popularity-api", "--methods", "chance").exception)


def test_a_table_without_columns_is_an_error(show):
    assert str(show("tables", "--datasets", "folder").exception).startswith("no results of bench yet: relattr run")
