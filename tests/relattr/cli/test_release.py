"""`relattr release` writes a file that other commands read in place of the folder of results."""

from __future__ import annotations

import hashlib
import sys

import pandas as pd
import pytest

import relattr

BLIND = """    def strength(self, images):
        import numpy as np

        return np.arange(len(images)) % 7.0
"""


@pytest.fixture
def command(workspace):
    """Run a command in the workspace without its folder of results; return stdout and stderr."""

    def run(*arguments, code=0):
        program = "from relattr.cli import main; main()"
        done = workspace.run_command([sys.executable, "-c", program, *arguments, "--plugins", str(workspace.plugins)])
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.mark.usefixtures("own_registry")
def test_commands_read_the_file_in_place_of_the_folder(workspace, command):
    workspace.write_method("noisy", "self.r_ = run.rng('n').normal(size=20) * 30", noise="self.r_[: len(images)]")
    workspace.write_method("fails", "print('printed'); raise ValueError('it cannot')")
    workspace.write_benchmark(seeds=[0, 1])
    workspace.relattr("run", code=1)
    output = command("release", "out.jsonl")
    digest = hashlib.sha256((workspace.folder / "out.jsonl").read_bytes()).hexdigest()
    assert "wrote out.jsonl: 4 cells" in output
    assert f"wrote out.jsonl.sha256: {digest}" in output
    assert "wrote out-columns.md" in output
    (workspace.folder / "results").rename(workspace.folder / "moved")
    for results, out in (("moved", "one"), ("out.jsonl", "two")):
        command("tables", "bench.toml", "--results", results, "--out", out)
    one, two = (
        {path.name: path.read_bytes() for path in (workspace.folder / out).iterdir() if path.suffix != ".pdf"}
        for out in ("one", "two")
    )
    assert len(one) > 5
    assert one == two
    status = command("status", "bench.toml", "--verbose", "--results", "out.jsonl")
    assert "4 cells: 2 done, 2 failed. Results in out.jsonl." in status
    assert "printed" in status  # the log
    assert "is a file; choose a folder" in command("run", "bench.toml", "--results", "out.jsonl", code=2)
    frame = relattr.results(workspace.folder / "out.jsonl", plugins=workspace.plugins)
    expected = relattr.results(workspace.folder / "moved", plugins=workspace.plugins)
    pd.testing.assert_frame_equal(frame, expected)


def test_images_have_their_names_in_the_file(workspace, command):
    workspace.write_method("good")
    workspace.write_benchmark()
    workspace.relattr("run")
    command("release", "out.jsonl")
    from relattr.harness.release import open_results

    stored = open_results(workspace.folder / "out.jsonl")
    (key,) = stored.test_pair_keys()
    assert len(stored.test_pairs(key).names) == 20
    (pairs,) = (workspace.folder / "results" / ".pairs").glob("*.npz")
    pairs.unlink()
    (workspace.plugins / "tiny.py").unlink()  # the dataset is not here any more
    output = command("release", "other.jsonl")
    assert "no test pairs, and so no intervals in tables: tiny/a0/standard test: its test pairs are not" in output


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("chosen", ["plain", "blind"])
def test_leaks_are_noted_in_tables_of_chosen_results(workspace, command, chosen):
    """Without the dataset, tables of a release have the notes of those of the folder: its audit is released too.

    The result of a method that sees no pixels does not identify the audit; that of the other does.
    """
    workspace.write_method("plain")
    blind = workspace.write_method("blind", parameters="uses_pixels = False")
    text = blind.read_text()
    blind.write_text(text[: text.index("    def strength")] + BLIND)
    path = workspace.plugins / "tiny.py"
    leaking = path.read_text().replace("order[20:]", "order[10:]").replace("images[20:]", "images[10:]")
    path.write_text(leaking)
    workspace.write_benchmark()
    workspace.relattr("run")
    note = "training and test sets overlap"
    assert note in command("tables", "bench.toml")  # this audits the dataset
    (audit,) = workspace.folder.glob("results/.audit/*.json")
    for name in ("of-changed-data", "of-other-data"):
        audit.with_name(f"{name}.json").write_text('{"private": "holiday.jpg"}')
    without_data = "    def missing(self):\n        return 'it is gone'\n\n    def fingerprint(self):"
    path.write_text(leaking.replace("    def fingerprint(self):", without_data))
    command("release", "out.jsonl", "--methods", chosen)
    assert "holiday" not in (workspace.folder / "out.jsonl").read_text()
    for results, out in (("results", "one"), ("out.jsonl", "two")):
        assert note in command("tables", "bench.toml", "--methods", chosen, "--results", results, "--out", out)
    one, two = ((workspace.folder / out / "bench.csv").read_bytes() for out in ("one", "two"))
    assert one == two


def test_wrong_files_are_errors_of_one_line(workspace, command):
    (workspace.folder / "other.parquet").write_bytes(b"PAR1 something else")
    (workspace.folder / "old.txt").touch()
    for arguments, message in (
        (["tables", "quick", "--results", "other.parquet"], "relattr: other.parquet: is not a Parquet file"),
        (["diff", "old.txt", "old.txt"], "relattr: old.txt is a file; expected a folder of results, or a file that"),
    ):
        output = command(*arguments, code=2)
        assert output.startswith(message)
        assert output.count("\n") == 1
