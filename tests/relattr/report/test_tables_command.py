"""`relattr tables --against`: the ablation is printed and written."""

import shutil

import pytest
from click.testing import CliRunner

from relattr import UnknownName
from relattr.cli import cli


@pytest.fixture
def tables_command(synthetic, tmp_path, monkeypatch):
    """Runs `relattr tables` on a store with the methods plain and better."""
    monkeypatch.setattr(shutil, "which", lambda program: None)  # no PDF
    for method, noise in (("plain", 1.0), ("better", 0.3)):
        synthetic.add(method, "a", "x", noise=noise)
    benchmark = tmp_path / "bench.toml"
    benchmark.write_text(
        "title = 'Synthetic'\nmethods = ['plain', 'better']\ndatasets = ['a']\n"
        "[table]\ncaption = ''\ncolumns = [{label = 'A', dataset = 'a', attribute = 'x'}]\n"
    )

    def run(base):
        options = ["--results", str(synthetic.store.folder), "--out", str(tmp_path / "out"), "--no-audit"]
        return CliRunner().invoke(cli, ["tables", str(benchmark), "--against", base, *options])

    return run


def test_the_ablation_is_printed_and_written(tables_command, tmp_path):
    process = tables_command("plain")
    assert process.exit_code == 0, process.output
    assert "Synthetic: against plain" in process.output
    assert {path.suffix for path in (tmp_path / "out").glob("bench-against-plain.*")} == {".tex", ".csv", ".md"}


def test_an_unknown_base_is_an_error_with_suggestions(tables_command):
    process = tables_command("plane")
    assert isinstance(process.exception, UnknownName)
    assert "plain" in str(process.exception)
