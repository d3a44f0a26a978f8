"""What a command writes never takes the place of what it reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from relattr.cli import cli
from relattr.errors import BadInput
from relattr.harness import export, release
from relattr.plugin_answers import answer_directly

N = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with labelled photographs in ``data``, others in ``new``, a model, results, and a released file."""
    place = tmp_path_factory.mktemp("place")
    for k in range(N):
        for folder in ("data", "new"):
            (place / folder).mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 10 * k, np.uint8)).save(place / folder / f"{k}.png")
    rows = "\n".join(["image,score", *(f"{k}.png,{k}" for k in range(N))])
    (place / "data" / "labels.csv").write_text(rows)
    (place / "data" / "labels.safetensors").write_text(rows)  # any name may be that of the file
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("RELATTR_CACHE", str(tmp_path_factory.mktemp("cache")))
        run("train", "--method", "chance", "--data", "data", "--save", "m.npz")
        run("run", "own", "--data", "data", "--methods", "chance", "--backend", "inline", "--quiet")
        run("release", "r.jsonl")
    for name in ("m.csv", "m.html"):
        (place / name).write_bytes((place / "m.npz").read_bytes())
    yield place
    answer_directly()


@pytest.fixture(autouse=True)
def place(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That folder as the working folder; what the test adds is removed."""
    monkeypatch.chdir(made)
    before = {*made.rglob("*")}
    yield made
    for path in {*made.rglob("*")} - before:
        path.unlink()


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run(*arguments: object) -> str:
    outcome = invoke(*arguments)
    assert outcome.exit_code == 0, f"{outcome.output}{outcome.exception}"
    return outcome.output


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


TRAIN = ["train", "--method", "chance", "--data", "data", "--save"]
RANK = ["rank", "--method", "chance", "--data", "data", "new", "--out"]
OVER_INPUTS = {
    "rank, model": ["rank", "--model", "m.csv", "new", "--out", "m.csv"],
    "rank, page": ["rank", "--model", "m.html", "new", "--out", "m.csv"],
    "rank, labels": ["rank", "--method", "chance", "--data", "data/labels.csv", "new", "--out", "data/labels.csv"],
    "rank, labels of a folder": [*RANK, "data/labels.csv"],
    "rank, labels among the photographs": ["rank", "--model", "m.npz", "data", "--out", "data/labels.csv"],
    "train, labels": [*TRAIN, "data/labels.csv"],
    "train, setting": [*TRAIN, "m.npz", "--set", "file=m.npz"],
    "export, labels": ["export", "own", "--out", "data/labels.csv"],
    "export, labels of all results": ["export", "--out", "data/labels.csv"],
    "export, strengths": ["export", "--out", "all.csv", "--strengths", "data/labels.csv"],
    "export, results": ["export", "--results", "r.jsonl", "--out", "r.jsonl"],
    "release, results": ["release", "r.jsonl", "--results", "r.jsonl"],
    "diff, labels": ["diff", "results", "r.jsonl", "--out", "data/labels.csv"],
    "diff, results": ["diff", "results", "r.jsonl", "--out", "r.jsonl"],
    "report, labels": ["report", "own", "--out", "data/labels.csv"],
    "tables, labels": ["tables", "own", "--out", "data"],
    "network, data": ["category-network", "folder", "data/labels.safetensors", "--set", "path=data/labels.safetensors"],
}


@pytest.mark.parametrize("arguments", OVER_INPUTS.values(), ids=OVER_INPUTS)
def test_no_command_writes_over_what_it_reads(place: Path, arguments: list[str]) -> None:
    before = contents(place)
    outcome = invoke(*arguments)
    assert isinstance(outcome.exception, BadInput), outcome.output
    assert any(path.split("/")[-1] in str(outcome.exception) for path in arguments if Path(path).exists())
    assert contents(place) == before


@pytest.mark.parametrize("spelling", ["absolute", "parent", "symbolic link", "link of the folder", "hard link"])
def test_an_input_is_known_under_every_name(place: Path, spelling: str) -> None:
    (place / "folder").symlink_to(place)
    (place / "soft.csv").symlink_to(place / "m.csv")
    os.link(place / "m.csv", place / "hard.csv")
    name = {
        "absolute": place / "m.csv",
        "parent": "new/../m.csv",
        "symbolic link": "soft.csv",
        "link of the folder": "folder/m.csv",
        "hard link": "hard.csv",
    }[spelling]
    before = contents(place)
    message = str(invoke("rank", "--model", "m.csv", "new", "--out", name).exception)
    assert message == f"{name} is the file of --model and would be overwritten; choose another file for --out"
    assert contents(place) == before


@pytest.mark.parametrize(
    ("arguments", "suffix"),
    [
        (TRAIN, ".npz"),
        (RANK, ".csv"),
        (["export", "--out"], ".csv"),
        (["export", "--strengths"], ".csv"),
        (["diff", "results", "results", "--out"], ".csv"),
        (["report", "own", "--out"], ".html"),
        (["category-network", "glyphs"], ".safetensors"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
@pytest.mark.parametrize("name", ["x", "x.txt", "x.jpg"])
def test_a_file_is_written_with_its_suffix_only(place: Path, arguments: list[str], suffix: str, name: str) -> None:
    message = str(invoke(*arguments, name).exception)
    assert f"{name} should end in {suffix}" in message
    assert f"such as x{suffix}" in message
    assert not (place / name).exists()


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [(RANK, "rank,image,strength"), (["export", "--out"], ",".join(export.RESULT_COLUMNS))],
    ids=["rank", "export"],
)
def test_only_a_csv_file_of_the_command_is_replaced(place: Path, arguments: list[str], columns: str) -> None:
    out = place / "out.csv"
    for kept in ("left,right,label\na,b,left\n", "\ufeffimage,score\na,1\n", "no table", f"x,{columns}\n"):
        out.write_text(kept, encoding="utf-8")
        message = str(invoke(*arguments, "out.csv").exception)
        assert "out.csv exists, and this command did not write it: its first line is" in message
        assert out.read_text(encoding="utf-8") == kept
    out.write_text("")
    for _ in range(2):
        run(*arguments, "out.csv")
        assert out.read_text().startswith(f"{columns}\n")


def test_a_release_does_not_write_over_its_results(place: Path) -> None:
    for file in release.release_paths(Path("other.jsonl")):
        file.symlink_to(place / "r.jsonl")
        message = str(invoke("release", "other.jsonl", "--results", "r.jsonl").exception)
        assert message == f"{file} is the file of --results and would be overwritten; choose another file for FILE"
        file.unlink()


def test_a_result_beside_the_labels_is_refused(place: Path) -> None:
    for arguments in ([*RANK, "data/x.csv"], ["export", "--out", "data/x.csv"], ["tables", "own", "--out", "data"]):
        message = str(invoke(*arguments).exception)
        assert "where only the file with your labels may be a CSV file; choose a file elsewhere" in message
    assert sorted(path.suffix for path in (place / "data").iterdir() if path.suffix != ".png") == [
        ".csv",
        ".safetensors",
    ]
    run("train", "--method", "chance", "--data", "data", "--save", "data/m.npz")  # a model does no harm there
