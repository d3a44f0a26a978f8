"""The page on reproducing one number: its code gives the number of the README, from rows and from strengths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from relattr.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reproducing.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"^```python [^\n]*\n(.*?)^```$", PAGE, re.M | re.S)
RELEASE = next(line for line in PAGE.splitlines() if line.startswith("$ relattr release")).split()[2:]


@pytest.fixture
def in_readme():
    """The number of the method in the table of the README, and in the text of the page."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = re.search(r"^\| Parikh & Grauman \+ CNN \| ([\d.]+) ±", readme, re.M)
    assert f"{row[1]} %" in PAGE
    return row[1]


def last_number(code, capsys):
    exec(compile(code, "docs/reproducing.md", "exec"), {})
    numbers = re.findall(r"^(?:np\.float64\()?(\d+\.\d+)\)?$", capsys.readouterr().out, re.M)
    return f"{float(numbers[-1]):.2f}"


def test_the_rows_give_the_number_of_the_readme(in_readme, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    rows, _ = PYTHON_BLOCKS
    assert last_number(rows, capsys) == in_readme


def test_the_strengths_give_the_number_of_the_readme(in_readme, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = [str(ROOT / part) if part == "results/reference" else part for part in RELEASE]
    outcome = CliRunner().invoke(cli, arguments)
    assert outcome.exit_code == 0, outcome.output
    capsys.readouterr()
    _, strengths = PYTHON_BLOCKS
    assert last_number(strengths, capsys) == in_readme
