"""The files that `relattr rank` leaves out: the same ones for every method, named or counted, also on the page."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import relattr
from relattr.cli import cli
from relattr.cli.photographs import MAX_NAMED
from relattr.errors import BadInput

METHODS = ["chance", "linear-color-histogram"]  # one that needs no pixels, and one that does


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labelled photographs in ``data``, three others in ``new``."""
    monkeypatch.chdir(tmp_path)
    for name in [*(f"data/{k}.png" for k in range(24)), "new/a.png", "new/sub/b.jpg", "new/c.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / name)
    rows = "\n".join(["image,score", *(f"{k}.png,{k}" for k in range(24))])
    (tmp_path / "data" / "labels.csv").write_text(rows)
    return tmp_path


def rank(method: str, *arguments: object) -> Result:
    options = ["rank", "--method", method, "--data", "data", *map(str, arguments)]
    return CliRunner().invoke(cli, options)


def ranked(path: Path = Path("ranking.csv")) -> set[str]:
    with path.open(newline="") as file:
        return {row["image"] for row in csv.DictReader(file)}


def add_unreadable(folder: Path) -> list[str]:
    whole = (folder / "sub" / "b.jpg").read_bytes()
    contents = {"text.jpg": b"no image", "empty.png": b"", "short.jpeg": whole[: len(whole) // 3]}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in contents]


@pytest.mark.parametrize("method", METHODS)
def test_no_method_ranks_what_cannot_be_read(data: Path, method: str) -> None:
    names = add_unreadable(Path("new"))
    outcome = rank(method, "new", "data/labels.csv")
    assert outcome.exit_code == 0, outcome.exception
    assert ranked() == {"new/a.png", "new/sub/b.jpg", "new/c.png"}
    page = Path("ranking.html").read_text()
    assert "4 files could not be read and were left out: " in page
    for name in [*names, "data/labels.csv"]:
        assert name in outcome.output
        assert name in page
    assert "could not be read" not in rank(method, "new/a.png").output


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_written_if_nothing_can_be_read(data: Path, method: str) -> None:
    names = add_unreadable(Path("new"))
    outcome = rank(method, *names)
    assert str(outcome.exception) == "no photograph could be read; 3 files left out"
    assert not list(data.glob("ranking.*"))


def test_one_file_that_cannot_be_read_is_one_on_the_page(data: Path) -> None:
    Path("new/a.png").write_bytes(b"")
    rank("chance", "new")
    assert "1 file could not be read and was left out: new/a.png." in Path("ranking.html").read_text()


@pytest.mark.parametrize(
    ("names", "described"),
    [
        (["x.tiff"], "1 file has another format (.tiff)"),
        (["x.tiff", "sub/y.tiff", "z.CR2", "w"], "4 files have other formats (.tiff, .CR2, no suffix)"),
        (["x.bmp", ".hidden.bmp", ".folder/y.gif"], "1 file has another format (.bmp)"),
        (
            [f"x.s{k}" for k in range(MAX_NAMED + 2)],
            f"10 files have other formats ({', '.join(f'.s{k}' for k in range(MAX_NAMED))}, 2 more)",
        ),
    ],
)
def test_files_in_other_formats_are_counted(data: Path, names: list[str], described: str) -> None:
    for name in names:
        Path("new", name).parent.mkdir(exist_ok=True)
        Path("new", name).write_bytes(b"II*")
    outcome = rank("chance", "new", "new/sub")  # each is counted once
    assert f"not considered: {described}\n" in outcome.output
    assert f"Not considered: {described}." in Path("ranking.html").read_text()
    assert len(ranked()) == 3
    for photograph in ("new/a.png", "new/sub/b.jpg", "new/c.png"):
        Path(photograph).unlink()
    assert str(rank("chance", "new").exception).endswith(f"; {described}")


def test_linked_folders_are_named(data: Path) -> None:
    for name in ("trip", "walk"):
        (data / name).mkdir()
        (data / name / "d.png").write_bytes((data / "new" / "a.png").read_bytes())
    Path("new/trip").symlink_to(data / "trip")
    described = "1 linked folder (new/trip; name it to rank what is in it)"
    assert f"not considered: {described}\n" in rank("chance", "new").output
    assert f"Not considered: {described}." in Path("ranking.html").read_text()
    Path("new/sub/walk").symlink_to(data / "walk")
    described = "2 linked folders (new/sub/walk, new/trip; name them to rank what is in them)"
    assert f"not considered: {described}\n" in rank("chance", "new").output
    assert len(ranked()) == 3
    assert "not considered" not in rank("chance", "new", "new/trip", "new/sub/walk").output
    assert len(ranked()) == 5


def test_a_folder_of_links_only_says_so(data: Path) -> None:
    Path("links").mkdir()
    Path("links/new").symlink_to(data / "new")
    assert str(rank("chance", "links").exception).endswith(
        "; 1 linked folder (links/new; name it to rank what is in it)"
    )


def test_folders_that_cannot_be_read_are_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str | Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read any folder
    assert "not considered: 1 folder that cannot be read (new/sub)\n" in rank("chance", "new").output
    assert len(ranked()) == 2


def test_without_other_files_nothing_is_said_about_them(data: Path) -> None:
    assert "not considered" not in rank("chance", "new").output
    assert "Not considered" not in Path("ranking.html").read_text()


@pytest.mark.parametrize("method", METHODS)
def test_python_leaves_out_the_same_files(data: Path, method: str) -> None:
    names = add_unreadable(Path("new"))
    rank(method, "new")
    expected = {Path(name).relative_to("new").as_posix() for name in ranked()}
    model = relattr.load_method(method).fit(relattr.load_dataset("folder", path="data").training_set("labels"))
    with pytest.warns(UserWarning, match="left out of the ranking by ") as caught:
        frame = model.rank("new")
    assert set(frame["image"]) == expected
    assert list(frame.index) == [1, 2, 3]
    assert len(caught) == 1
    assert all(name in str(caught[0].message) for name in names)
    with pytest.raises(BadInput, match="no image can be ranked; left out of the ranking by"):
        model.rank(names)
