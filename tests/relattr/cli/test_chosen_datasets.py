"""`data verify`, `audit` and `check dataset` take own photographs as other commands do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from relattr.cli import cli
from relattr.errors import BadInput, UnknownName

COMMANDS = {"verify": ["data", "verify"], "audit": ["audit"], "check": ["check", "dataset", "--law", "fingerprint*"]}
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("relattr.cli.check.is_supported", lambda: False)  # the output of a fork is not captured
    (tmp_path / "hh").mkdir()
    for k in range(12):
        Image.fromarray(np.full((8, 8, 3), 20 * k, np.uint8)).save(tmp_path / "hh" / f"{k}.png")
    (tmp_path / "hh" / "o.csv").write_text("\n".join(["image,score", *(f"{k}.png,{k}" for k in range(12))]))
    return tmp_path / "hh"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@every_command
def test_every_spelling_of_the_data_is_the_same(command: list[str]) -> None:
    expected = invoke(*command, "folder", "--set", "path=hh")
    assert "folder" in expected.output
    for arguments in (
        ["--data", "hh"],
        ["folder", "--data", "hh"],
        ["--data", "hh/o.csv"],
        ["folder", "--set", "folder.path=hh"],
        ["--data", "hh", "--set", "folder.seed=0"],
    ):
        outcome = invoke(*command, *arguments)
        assert outcome.output == expected.output
        assert outcome.exit_code == expected.exit_code


@every_command
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a dataset (relattr data list shows all), or pass --data PATH for your own photographs"),
        (["--data", "none"], "--data none does not exist; expected a folder of photographs with a .csv file"),
        (["glyphs", "--data", "hh"], "--data is for your own photographs, which are the dataset folder"),
        (["--data", "hh", "--set", "path=hh"], "--data and --set path both say where the photographs are"),
        (["folder", "--set", "osr.path=hh"], "no parameter of dataset folder is called 'osr.path'"),
        (["folder", "--set", "folder.pth=hh"], "no parameter of dataset folder is called 'pth'; did you mean path"),
    ],
)
def test_errors_say_what_to_pass(command: list[str], arguments: list[str], message: str) -> None:
    outcome = invoke(*command, *arguments)
    assert isinstance(outcome.exception, (BadInput, UnknownName))
    assert message in str(outcome.exception)


def test_a_setting_may_be_of_one_of_several_datasets() -> None:
    outcome = invoke("data", "verify", "folder", "glyphs", "--set", "folder.path=hh", "--set", "glyphs.n_train=30")
    assert "folder: ok" in outcome.output
    assert "glyphs: ok" in outcome.output
