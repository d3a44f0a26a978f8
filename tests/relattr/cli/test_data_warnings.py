"""What the audit knows about a user's own data is printed by `run`, and noted in its table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from relattr.cli import cli
from relattr.harness.result import Result as StoredResult
from relattr.harness.store import Store
from relattr.plugin_answers import answer_directly

N = 20


def draw(folder: Path) -> list[str]:
    """Images that differ, and the lines that score them."""
    folder.mkdir()
    for k in range(N):
        Image.fromarray(np.full((3, 3, 3), 10 * k, np.uint8)).save(folder / f"{k}.png")
    return ["image,score", *(f"{k}.png,{k}" for k in range(N))]


def run(folder: Path, *lines: str) -> Result:
    (folder / "ripe.csv").write_text("\n".join(lines))
    arguments = ["run", "quick", "--datasets", "folder", "--set", f"folder.path={folder}", "--methods", "chance"]
    results = str(folder.parent / "results")
    outcome = CliRunner().invoke(cli, [*arguments, "--backend", "inline", "--results", results])
    answer_directly()  # the next command is another process
    return outcome


def test_sound_data_gives_no_warning(tmp_path: Path) -> None:
    outcome = run(tmp_path / "own", *draw(tmp_path / "own"))
    assert outcome.exit_code == 0
    assert not any(line.startswith(("leak", "warning")) for line in outcome.output.splitlines())
    assert "audit:" not in outcome.output


def test_duplicated_photographs_are_named_and_noted(tmp_path: Path) -> None:
    lines = draw(tmp_path / "own")
    for k in range(N):
        shutil.copy(tmp_path / "own" / f"{k}.png", tmp_path / "own" / f"copy-{k}.png")
    outcome = run(tmp_path / "own", *lines, *(f"copy-{k}.png,{k}" for k in range(N)))
    assert outcome.exit_code == 0
    printed = [line for line in outcome.output.splitlines() if line.startswith("leak")]
    assert len(printed) == 1
    assert "duplicated in the training set" in printed[0]
    assert "and the like in" in printed[0]  # of the folds, the first is described
    assert "training and test sets overlap" in outcome.output
    again = run(tmp_path / "own", *lines, *(f"copy-{k}.png,{k}" for k in range(N)))
    assert printed[0] in again.output  # also when nothing is computed
    assert "0 cells computed" in again.output


def test_only_the_data_of_the_run_is_audited(tmp_path: Path) -> None:
    own, results = tmp_path / "own", tmp_path / "results"
    lines = draw(own)
    shutil.copy(own / "0.png", own / "copy.png")
    (own / "ripe.csv").write_text("\n".join([*lines, "copy.png,0"]))
    (tmp_path / "two.toml").write_text(
        f"""
        title = "Two datasets"
        methods = ["chance"]
        datasets = ["glyphs", "folder"]
        [dataset.glyphs]
        n_train = 8
        n_test = 8
        size = 32
        [dataset.folder]
        path = "{own}"
        [table]
        caption = "Both."
        columns = [
          {{ label = "scenes", dataset = "glyphs", attribute = "global" }},
          {{ label = "own", dataset = "folder", attribute = "ripe" }},
        ]
        """
    )
    for chosen, audited in (("glyphs", False), ("folder", True)):
        arguments = ["run", str(tmp_path / "two.toml"), "--datasets", chosen, "--backend", "inline"]
        outcome = CliRunner().invoke(cli, [*arguments, "--results", str(results)])
        answer_directly()
        assert outcome.exit_code == 0, outcome.output
        assert ("have the same content" in outcome.output) == audited


def test_an_unreadable_image_is_named_before_the_cells_run(tmp_path: Path) -> None:
    lines = draw(tmp_path / "own")
    for k in range(0, N, 2):
        (tmp_path / "own" / f"{k}.png").write_bytes(b"no image")
    outcome = run(tmp_path / "own", *lines)
    first = outcome.output.splitlines()[0]
    assert first.startswith("warning")
    assert "is not an image of a supported format" in first


def test_how_rows_were_read_is_noted(tmp_path: Path) -> None:
    draw(tmp_path / "own")
    rows = [f"{a}.png,{b}.png,{2 if (a + b) % 3 else 1},1,0" for a in range(N) for b in range(a)]
    outcome = run(tmp_path / "own", "left,right,first,second,equal", *rows)
    assert outcome.exit_code == 0, outcome.output
    results = [result for result in Store(tmp_path / "results") if isinstance(result, StoredResult)]
    assert results
    for result in results:
        assert any("of 190 pairs have no majority and count as similar" in note for note in result.notes)
