"""Your own photographs: train, rank and compare; the benchmark `own`, its table and its page."""

from __future__ import annotations

import csv
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import relattr
from relattr import Images, Method, Run, TrainingSet, register_method
from relattr.cli import cli
from relattr.errors import BadInput
from relattr.registry import registry

N = 24


@pytest.fixture(autouse=True)
def brightest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A method that ranks by brightness, in the direction of the training pairs; it needs no time."""
    monkeypatch.setenv("RELATTR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    registry.discover()

    @register_method("brightest", label="Brightest <b>&")
    class Brightest(Method):
        """Ranks by brightness."""

        def fit(self, train: TrainingSet, run: Run) -> None:
            self.sign_ = 1.0
            self.sign_ = float(np.sign(self.compare(train.images, train.pairs) @ train.pairs.label))

        def strength(self, images: Images) -> np.ndarray:
            return self.sign_ * np.array([images[k].mean() for k in range(len(images))])

    @register_method("not-finite", label="Not finite")
    class NotFinite(Method):
        """Gives white images NaN, and black ones minus infinity."""

        def fit(self, train: TrainingSet, run: Run) -> None:
            self.white_, self.black_ = np.nan, -np.inf

        def strength(self, images: Images) -> np.ndarray:
            brightness = [images[k].mean() for k in range(len(images))]
            return np.array([{0.0: self.black_, 255.0: self.white_}.get(value, value) for value in brightness])

    yield
    for name in ("brightest", "not-finite"):
        del registry.methods[name]


def draw(path: Path, brightness: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((12, 16, 3), brightness, np.uint8)).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photographs compared by darkness: the dark one has more."""
    rows = ["left,right,label"]
    for k in range(N):
        draw(tmp_path / "data" / f"p/{k:02}.png", 10 * k)
        rows += [f"p/{k:02}.png,p/{j:02}.png,left" for j in range(k + 1, N, 3)]
    (tmp_path / "data" / "darkness.csv").write_text("\n".join(rows))
    return tmp_path / "data"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Five photographs without labels, one of them in a folder, one with a name like a formula."""
    for name, brightness in (("c.png", 30), ("=a.png", 200), ("sub/<i>b.png", 90), ("d.png", 31), ("e.png", 250)):
        draw(tmp_path / "new" / name, brightness)
    return tmp_path / "new"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=True)


def error_of(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exception is not None
    return str(result.exception)


def ranking(path: Path) -> list[tuple[int, str, float]]:
    with path.open(newline="") as file:
        return [(int(row["rank"]), row["image"], float(row["strength"])) for row in csv.DictReader(file)]


def test_photographs_are_ranked_from_most_to_least(data: Path, photographs: Path, tmp_path: Path) -> None:
    (photographs / "broken.jpg").write_text("no image")
    output = invoke("rank", "--method", "brightest", "--data", data, photographs, "--out", "r.csv").output
    assert "left out: " in output
    assert "broken.jpg is not an image" in output
    rows = ranking(tmp_path / "r.csv")
    expected = [("c.png", 30), ("d.png", 31), ("sub/<i>b.png", 90), ("=a.png", 200), ("e.png", 250)]
    assert rows == [(k + 1, str(photographs / name), -float(value)) for k, (name, value) in enumerate(expected)]
    page = (tmp_path / "r.html").read_text()
    assert re.findall(r"<b>(\d: -\d+)</b>", page) == ["1: -30", "2: -31", "3: -90", "4: -200", "5: -250"]
    assert page.count('src="data:image/jpeg;base64,') == 5
    assert "&lt;i&gt;b.png" in page
    assert "<i>b.png" not in page
    assert "1 file could not be read" in page
    assert "5 photographs, ranked by darkness" in page
    message = error_of("rank", "--method", "brightest", "--data", data, photographs / "broken.jpg", "--out", "n.csv")
    assert message == "no photograph could be read; 1 file left out"


def test_names_like_formulas_are_escaped(data: Path, photographs: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(photographs)
    invoke("rank", "--method", "brightest", "--data", data, "=a.png", "c.png", "--out", tmp_path / "r.csv", "--no-page")
    assert [name for _, name, _ in ranking(tmp_path / "r.csv")] == ["c.png", "'=a.png"]
    assert not (tmp_path / "r.html").exists()


def test_a_saved_model_ranks_and_compares(data: Path, photographs: Path, tmp_path: Path) -> None:
    output = invoke("train", "--method", "brightest", "--data", data, "--save", "m.npz").output
    n_pairs = len((data / "darkness.csv").read_text().splitlines()) - 1
    assert f"fitted on {n_pairs} pairs of {N} images" in output
    invoke("rank", "--model", "m.npz", photographs, "--out", "r.csv")
    assert [strength for *_, strength in ranking(tmp_path / "r.csv")] == [-30, -31, -90, -200, -250]
    bright, dark = photographs / "e.png", photographs / "c.png"
    for pair in ((bright, dark), (dark, bright)):
        output = invoke("compare", "m.npz", *pair).output
        assert output == f"{dark} shows more darkness than {bright}: difference 220; strengths -30 and -250\n"
    assert "no difference in darkness" in invoke("compare", "m.npz", dark, dark).output
    assert relattr.load_model("m.npz").strength([dark])[0] == -30


def test_a_strength_that_is_not_finite_is_left_out_and_named(data: Path, photographs: Path, tmp_path: Path) -> None:
    for name, brightness in (("white.png", 255), ("black.png", 0)):
        draw(photographs / name, brightness)
    (photographs / "aa.png").write_text("no image")  # before the others, so that positions differ
    outcome = invoke("rank", "--method", "not-finite", "--data", data, photographs, "--out", "r.csv")
    assert outcome.exit_code == 0
    for name, strength in (("white.png", "nan"), ("black.png", "-inf")):
        expected = f"left out: {photographs / name}: its strength by not-finite is {strength}, not a finite number\n"
        assert expected in outcome.output
    assert outcome.output.count("left out: ") == 3
    assert [strength for *_, strength in ranking(tmp_path / "r.csv")] == [250, 200, 90, 31, 30]
    page = (tmp_path / "r.html").read_text()
    assert "1 file could not be read and was left out: " in page
    assert "2 files without a finite strength were left out: " in page
    alone = error_of("rank", "--method", "not-finite", "--data", data, photographs / "white.png", "--out", "n.csv")
    assert alone == "no photograph has a finite strength by not-finite; 1 file left out"
    assert not (tmp_path / "n.csv").exists()


def test_a_strength_that_is_not_finite_decides_no_comparison(data: Path, photographs: Path) -> None:
    invoke("train", "--method", "not-finite", "--data", data, "--save", "m.npz")
    draw(photographs / "white.png", 255)
    for pair in (("c.png", "white.png"), ("white.png", "c.png")):
        message = error_of("compare", "m.npz", *(photographs / name for name in pair))
        assert message == "the strength of white.png by not-finite is nan; expected a finite number"


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_a_name_that_is_not_utf8_is_escaped(data: Path, photographs: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        draw(photographs / name, 1)
    except OSError:
        pytest.skip("this file system has only names in UTF-8")
    draw(photographs / "\u200eé.png", 2)  # a name that is UTF-8 stays that of the file, though it is not printable
    outcome = invoke("rank", "--method", "brightest", "--data", data, photographs, "--out", "r.csv")
    assert outcome.exit_code == 0, outcome.exception
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        images = [row["image"] for row in csv.DictReader(file)]
    assert images[:2] == [f"{photographs}/caf\\xe9.png", str(photographs / "\u200eé.png")]
    assert "caf\\xe9.png" in (tmp_path / "r.html").read_text(encoding="utf-8")
    invoke("train", "--method", "brightest", "--data", data, "--save", "m.npz")
    output = invoke("compare", "m.npz", photographs / "c.png", photographs / name).output
    assert output.startswith(f"{photographs}/caf\\xe9.png shows more darkness than {photographs / 'c.png'}: ")
    (photographs / name).write_text("no image")
    assert "caf\\xe9.png is not an image" in invoke("rank", "--model", "m.npz", photographs, "--out", "r.csv").output


def test_a_ranking_cannot_be_among_the_labels(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = (data / "darkness.csv").read_text()
    (tmp_path / "link").symlink_to(data)
    monkeypatch.chdir(data)
    rank = ["rank", "--method", "brightest", "--data"]
    for arguments, named in (
        ([".", "p"], "--out ranking.csv would be in the folder of --data, .,"),
        ([tmp_path / "link", "p", "--out", data / "r.csv"], f"--out {data}/r.csv would be in the folder of"),
        (["darkness.csv", "p", "--out", tmp_path / "link/darkness.csv"], "darkness.csv is the file of --data"),
    ):
        outcome = invoke(*rank, *arguments)
        assert named in str(outcome.exception)
        assert "choose " in str(outcome.exception)
        assert "fitting" not in outcome.output
    assert sorted(path.name for path in data.iterdir()) == ["darkness.csv", "p"]
    assert (data / "darkness.csv").read_text() == labels
    for _ in range(2):  # elsewhere, it can be repeated
        assert invoke(*rank, ".", "p", "--out", "out/r.csv").exit_code == 0


@pytest.mark.parametrize(
    "path",
    ["file/r.csv", f"missing/{'x' * 300}/r.csv", "folder", f"{'x' * 250}.csv"],
    ids=["below a file", "folder with a long name", "folder", "long name"],
)
def test_an_output_that_cannot_be_written_comes_before(
    data: Path, photographs: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    invoke("train", "--method", "brightest", "--data", data, "--save", "m.npz")
    before = sorted(tmp_path.rglob("*"))
    for arguments in (
        ["train", "--method", "brightest", "--data", data, "--save", path],
        ["rank", "--method", "brightest", "--data", data, photographs, "--out", path],
        ["rank", "--model", "m.npz", photographs, "--out", path],
    ):
        outcome = invoke(*arguments)
        assert outcome.exit_code
        assert path in f"{outcome.exception}{outcome.output}"
        assert "fitting" not in outcome.output
        assert sorted(tmp_path.rglob("*")) == before


def test_a_page_that_cannot_be_written_comes_before(data: Path, photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "r.html").mkdir()
    rank = ["rank", "--method", "brightest", "--data", data, photographs, "--out", "r.csv"]
    assert error_of(*rank) == "r.html is a folder; expected a file"
    assert not (tmp_path / "r.csv").exists()
    assert invoke(*rank, "--no-page").exit_code == 0


def test_several_attributes_need_a_choice(data: Path) -> None:
    text = (data / "darkness.csv").read_text().splitlines()
    rows = [f"{row},{attribute}" for attribute in ("one", "two") for row in text[1:]]
    (data / "darkness.csv").write_text("\n".join([f"{text[0]},attribute", *rows]))
    message = error_of("train", "--method", "brightest", "--data", data, "--save", "m.npz")
    assert "data has 2 attributes; add --attribute, one of: one, two" in message
    assert (
        "two"
        in invoke("train", "--method", "brightest", "--data", data, "--attribute", "two", "--save", "m.npz").output
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank", "--method", "brightest", "new"], "--data is missing; for example --method ranksvm-cnn --data"),
        (["rank", "--data", "data", "new"], "--method is missing"),
        (["rank", "--method", "brightest", "--model", "m.npz", "new"], "use either --model, or --method and --data"),
        (
            ["rank", "--method", "brightest", "--data", "nowhere", "new"],
            "--data nowhere does not exist; expected a folder",
        ),
        (
            ["rank", "--method", "brightest", "--data", "data", "empty"],
            "empty has no photograph: no file in it ends in",
        ),
        (
            ["rank", "--method", "brightest", "--data", "data", "none"],
            "none does not exist; expected a photograph, or a folder of photographs",
        ),
        (
            ["rank", "--method", "human-attributes-5", "--data", "data", "new"],
            "human-attributes-5 compares pairs and gives no strengths",
        ),
        (["run", "own", "--data", "new"], "new has no .csv file; write one there with the columns left,right,label"),
        (
            ["rank", "--method", "brightest", "--data", "data", "new", "--out", "r.html"],
            "--out r.html should end in .csv, such as r.csv",
        ),
        (
            ["rank", "--method", "brightest", "--data", "empty", "new"],
            "empty has no .csv file; write one there with the columns left,right,label",
        ),
        (["compare", "none.npz", "a.png", "b.png"], "cannot read none.npz"),
        (["run", "quick", "--data", "data"], "--data is for benchmarks of your own photographs, such as own"),
        (["run", "own", "--data", "nowhere"], "--data nowhere does not exist"),
        (["run", "own"], "of your own photographs, and there are no results on any: add --data PATH, a folder with"),
        (["tables", "own", "--results", "empty"], "there are no results on any: add --data PATH"),
        (["report", "own", "--results", "empty"], "there are no results on any: add --data PATH"),
    ],
)
def test_errors_say_what_is_wrong(
    data: Path, photographs: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    outcome = invoke(*arguments)
    assert message in str(outcome.exception)
    assert "fitting" not in outcome.output  # the error comes before the time it takes to fit
    assert not list(tmp_path.glob("r.*"))


def test_parameters_are_those_of_the_benchmark_unless_set(data: Path) -> None:
    from relattr.cli.own_model import _parameters

    assert _parameters(registry, "siamese", ())["preset"] == "fast"
    assert _parameters(registry, "siamese", ("updates=3",))["updates"] == 3
    assert "backbone" in _parameters(registry, "ranksvm-cnn", ())


def test_the_table_has_what_was_run_and_the_page_the_photographs(data: Path, tmp_path: Path) -> None:
    arguments = ["run", "own", "--data", data, "--methods", "chance", "--methods", "brightest", "--backend", "inline"]
    output = invoke(*arguments, "--quiet").output
    rows = re.findall(r"^(\S+).*?(\d+\.\d\d) (?:±|\[)", output, re.MULTILINE)
    assert [name for name, _ in rows] == ["Chance", "Brightest"]  # and no row of another method
    assert rows[1][1] == "100.00"
    assert "relattr report own" in output
    again = relattr.run("own", data=data, methods=["chance", "brightest"], backend="inline", verbose=False)
    assert len(again) == 2 * 7  # the same results, one row for each fold
    frame = relattr.table("own")  # the data is that of the results
    assert frame[["key", "column"]].to_numpy().tolist() == [["chance", "darkness"], ["brightest", "darkness"]]
    assert invoke("report", "own", "--out", "own.html").exit_code == 0
    page = (tmp_path / "own.html").read_text()
    shown = re.findall(r'<img src="data:image/jpeg;base64,[^"]*" alt="p/(\d+)\.png"', page)
    assert len(shown) == N
    # least first; each fold is standardised on its own, so the order is nearly, and not exactly, that of darkness
    assert np.corrcoef([int(name) for name in shown], -np.arange(N))[0, 1] > 0.8


def test_the_next_command_shows_the_data_of_this_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --data a command shows the most recent results, which may be on other photographs."""
    seconds = itertools.count()
    monkeypatch.setattr("relattr.harness.provenance._now", lambda: f"2020-01-01T{next(seconds):09}")
    shutil.copytree(data, tmp_path / "other")
    draw(tmp_path / "other" / "p" / "00.png", 1)
    for path, n_computed, words in (("data", 7, "own"), ("other", 7, "own"), ("data", 0, "own --data data")):
        output = invoke("run", "own", "--data", path, "--methods", "brightest", "--backend", "inline").output
        assert f"{n_computed} cells computed" in output
        for command in ("report", "tables"):
            assert f"relattr {command} {words} --methods brightest" in output


def test_a_missing_photograph_is_one_error_before_any_cell(data: Path, tmp_path: Path) -> None:
    (data / "p" / "03.png").rename(data / "p" / "03.PNG")
    expected = f"1 of the {N} images in {data / 'darkness.csv'} does not exist: p/03.png (is it p/03.PNG?)"
    assert expected in error_of("run", "own", "--data", data, "--methods", "brightest", "--backend", "inline")
    assert not list(tmp_path.glob("results/**/*.json"))
    with pytest.raises(BadInput, match=r"p/03\.PNG"):
        relattr.run("own", data=data, methods="brightest", backend="inline")


def test_a_folder_without_csv_is_the_only_reason(photographs: Path) -> None:
    assert error_of("run", "own", "--data", photographs).startswith(f"{photographs} has no .csv file")
    with pytest.raises(BadInput, match=r"^\S*new has no \.csv file"):
        relattr.run("own", data=photographs)


def test_diff_says_that_the_data_differs(data: Path) -> None:
    run = ["run", "own", "--data", data, "--methods", "chance", "--backend", "inline", "--quiet", "--results"]
    invoke(*run, "before")
    draw(data / "p/00.png", 5)
    invoke(*run, "after")
    output = invoke("diff", "before", "after").output
    assert output.startswith("No cell is in both folders.\nonly in before: chance on folder: 7 cells")
    assert output.endswith("Only results on the same data are compared.\n")
    assert "differs" not in invoke("diff", "before", "before").output


def test_few_pairs_are_a_warning_of_every_command(data: Path, tmp_path: Path) -> None:
    lines = (data / "darkness.csv").read_text().splitlines()
    (data / "darkness.csv").write_text("\n".join(lines[:61:2]))
    expected = "only 30 ordered test pairs"
    verified = invoke("data", "verify", "--data", data)
    assert f"folder: WARN  test pairs of darkness: {expected}" in verified.output
    assert verified.exit_code == 0
    assert re.search(rf"^warning .*: {expected}", invoke("audit", "--data", data).output, re.M)
    output = invoke("run", "own", "--data", data, "--methods", "brightest", "--backend", "inline", "--quiet").output
    assert re.search(rf"^warning .*: {expected}", output, re.M)
    assert f"WARNING: darkness: {expected}" in output
    assert f"WARNING: darkness: {expected}" in invoke("tables", "own", "--out", "t").output
    assert f"**Warning.** darkness: {expected}" in (tmp_path / "t" / "own.md").read_text()
    assert f"darkness: {expected}" in (tmp_path / "t" / "own.tex").read_text()
    invoke("report", "own", "--out", "own.html")
    assert f'<p class="alert"><b>Warning.</b> darkness: {expected}' in (tmp_path / "own.html").read_text()


def test_results_of_earlier_data_do_not_make_an_empty_table(data: Path, tmp_path: Path) -> None:
    invoke("run", "own", "--data", data, "--methods", "brightest", "--backend", "inline", "--quiet")
    shows = [["tables", "own", "--out", tmp_path / "out"], ["report", "own", "--out", tmp_path / "out/own.html"]]
    for show in shows:
        assert invoke(*show).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    draw(data / "p/00.png", 5)
    expected = f"no results on this version of {data}; 7 are of an earlier version: relattr run own --data {data}"
    for show in shows:
        assert error_of(*show, "--data", data) == expected
        assert error_of(*show) == expected  # the data is that of the results
        assert error_of(*show, "--methods", "brightest") == f"{expected} --methods brightest"
    for show in (relattr.table, relattr.report_page):
        with pytest.raises(BadInput, match=re.escape(expected)):
            show("own")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    invoke("run", "own", "--methods", "brightest", "--backend", "inline", "--quiet")
    for show in shows:
        assert invoke(*show).exit_code == 0
    copy = tmp_path / "copy"
    data.rename(copy)
    draw(copy / "p/00.png", 6)
    message = error_of(*shows[0], "--data", copy, "--results", "results")
    assert message == (
        f"no results of own on {copy}, but 14 other results on folder (relattr status): relattr run own --data {copy}"
    )
