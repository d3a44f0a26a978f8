"""Commands that show or publish results refuse a path that does not exist, and write nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from relattr import BadInput
from relattr.cli import cli


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["tables", "quick"],
        ["report", "quick"],
        ["figures", "quick"],
        ["export"],
        ["release", "out.jsonl"],
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("results", [[], ["--results", "nope"]], ids=["default", "given"])
def test_results_that_do_not_exist_are_refused(folder: Path, arguments: list[str], results: list[str]) -> None:
    outcome = CliRunner().invoke(cli, [*arguments, *results])
    assert isinstance(outcome.exception, BadInput)
    path = results[-1] if results else "results"
    assert str(outcome.exception).startswith(f"{path} does not exist, so there are no results; run the benchmark first")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("arguments", [["status"], ["plan", "quick"]], ids=lambda arguments: arguments[0])
def test_before_a_run_there_may_be_no_results_yet(folder: Path, arguments: list[str]) -> None:
    outcome = CliRunner().invoke(cli, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert not (folder / "results").exists()


def test_a_folder_without_results_is_not_released(folder: Path) -> None:
    (folder / "results").mkdir()
    outcome = CliRunner().invoke(cli, ["release", "out.jsonl"])
    assert str(outcome.exception) == "out.jsonl is not written: there are no results"
    assert [path.name for path in folder.iterdir()] == ["results"]
