"""A user's own data is identified by its content: neither the spelling of its path nor the folder of work decides."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from relattr.cli import cli
from relattr.errors import BadInput
from relattr.harness.benchmark import load_benchmark
from relattr.harness.cell import Cell
from relattr.harness.data_identity import identify_data
from relattr.harness.plan import Plan, PlannedCell, make_plan
from relattr.harness.result import Result, decode_result, encode_result
from relattr.harness.scope import benchmark_scope
from relattr.harness.selection import Selection
from relattr.harness.store import Store
from relattr.plugin_answers import answer_directly
from relattr.registry import registry

SPELLINGS = ["d", "./d", "d/", "d/../d", "d/ripe.csv", "{}/d", "{}/d/ripe.csv", "link"]


def draw(folder: Path, shift: int = 0) -> Path:
    """Twenty images with scores; the scores depend on ``shift``."""
    folder.mkdir(parents=True)
    for k in range(20):
        Image.fromarray(np.full((3, 3, 3), k, np.uint8)).save(folder / f"{k}.png")
    lines = ["image,score", *(f"{k}.png,{(k + shift) % 20}" for k in range(20))]
    (folder / "ripe.csv").write_text("\n".join(lines))
    return folder


def plan(results: Path, path: str, **settings: object) -> Plan:
    registry.discover()
    values = {
        "folder.path": path,
        "folder.split": "held-out",
        **{f"folder.{name}": value for name, value in settings.items()},
    }
    selection = Selection(methods=["chance"], datasets=["folder"], settings=values)
    return make_plan(load_benchmark("quick"), registry, Store(results), selection)


def plan_cell(results: Path, path: str, **settings: object) -> PlannedCell:
    (planned,) = plan(results, path, **settings).cells
    return planned


def run(results: Path, path: str) -> str:
    arguments = ["run", "quick", "--datasets", "folder", "--set", f"folder.path={path}", "--methods", "chance"]
    arguments += ["--set", "folder.split=held-out"]
    outcome = CliRunner().invoke(cli, [*arguments, "--backend", "inline", "--results", str(results)])
    answer_directly()  # the next command is another process
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_every_spelling_of_a_path_is_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "d")
    (tmp_path / "link").symlink_to("d")
    cells = [plan_cell(tmp_path / "r", spelling.format(tmp_path)).cell for spelling in SPELLINGS]
    assert len({cell.key for cell in cells}) == 1
    assert all(Path(cell.location["path"]).is_absolute() for cell in cells)
    assert "path" not in cells[0].dataset_parameters
    other_share = plan_cell(tmp_path / "r", "d", test=0.4).cell
    assert other_share.key != cells[0].key


def test_a_copy_elsewhere_is_the_same_cell(tmp_path: Path) -> None:
    first = plan_cell(tmp_path / "r", str(draw(tmp_path / "d"))).cell
    shutil.copytree(tmp_path / "d", tmp_path / "elsewhere" / "e")
    assert plan_cell(tmp_path / "r", str(tmp_path / "elsewhere" / "e")).cell.key == first.key


def test_two_projects_with_one_path_share_a_results_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "r"
    for project, shift in (("x", 0), ("y", 7)):
        draw(tmp_path / project / "data", shift)
        monkeypatch.chdir(tmp_path / project)
        assert "1 cell computed" in run(results, "data")
    for project in ("x", "y"):
        monkeypatch.chdir(tmp_path / project)
        assert "0 cells computed, 1 already available" in run(results, "data")
        assert "0 cells computed, 1 already available" in run(results, "data/ripe.csv")
    stored = [result for result in Store(results) if isinstance(result, Result)]
    assert {result.cell.location["path"] for result in stored} == {str(tmp_path / p / "data") for p in ("x", "y")}


def test_changed_content_is_another_cell(tmp_path: Path) -> None:
    first = plan_cell(tmp_path / "r", str(draw(tmp_path / "d"))).cell
    (tmp_path / "d" / "ripe.csv").write_text((tmp_path / "d" / "ripe.csv").read_text() + "\n")
    assert plan_cell(tmp_path / "r", str(tmp_path / "d")).cell.key != first.key


def test_results_are_shown_where_their_content_is_now(tmp_path: Path) -> None:
    results = tmp_path / "r"
    run(results, str(draw(tmp_path / "one")))
    run(results, str(draw(tmp_path / "two", 3)))
    stored = [result for result in Store(results) if isinstance(result, Result)]
    (tmp_path / "one").rename(tmp_path / "moved")
    now = plan(results, str(tmp_path / "moved"))
    (selected,) = benchmark_scope(now.benchmark, registry).select(stored)
    assert selected.cell.key == now.cells[0].cell.key
    assert selected.cell.location == {"path": str(tmp_path / "moved")}
    assert now.cells[0].state == "done"


def test_without_data_the_latest_content_at_its_place_is_shown(tmp_path: Path) -> None:
    results, place = tmp_path / "r", tmp_path / "data"
    for shift in (0, 3):
        run(results, str(draw(place, shift)))
        latest = plan(results, str(place))
        shutil.rmtree(place)
    stored = [result for result in Store(results) if isinstance(result, Result)]
    assert len(stored) == 2
    dated = []
    for result in stored:  # both may have been computed in the same second
        day = "2" if result.cell.data == latest.cells[0].cell.data else "1"
        provenance = msgspec.structs.replace(result.provenance, started=f"2020-01-0{day}T00:00:00")
        dated.append(msgspec.structs.replace(result, provenance=provenance))
    (selected,) = benchmark_scope(latest.benchmark, registry).select(dated)
    assert selected.cell.data == latest.cells[0].cell.data


def test_missing_images_in_two_projects_are_two_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for project in ("x", "y"):
        (draw(tmp_path / project / "data") / "3.png").unlink()
        monkeypatch.chdir(tmp_path / project)
        planned = plan_cell(tmp_path / "r", "data")
        assert planned.state == "blocked"
        keys.add(planned.cell.key)
    assert len(keys) == 2


def test_datasets_without_a_location_keep_their_keys() -> None:
    cell = Cell("m", {"C": 1.0}, "d", {"a": 1}, "smile", "standard", 3)
    assert set(msgspec.to_builtins(cell)) == {
        "method",
        "method_parameters",
        "dataset",
        "dataset_parameters",
        "attribute",
        "split",
        "seed",
    }
    glyphs = identify_data(registry.dataset("glyphs").create())
    assert (glyphs.data, glyphs.location, glyphs.available) == ("", {}, True)


def test_files_of_relative_attributes_have_a_location_too() -> None:
    registry.discover()
    one, other = (
        identify_data(registry.dataset("relative-attributes").create({"file": file})) for file in ("a.mat", "b.mat")
    )
    assert one.location == {"file": "a.mat", "images": ""}
    assert one.dataset_parameters == other.dataset_parameters == {}
    assert not one.available
    assert one.data != other.data


def test_a_location_is_stored_with_the_result(tmp_path: Path) -> None:
    run(tmp_path / "r", str(draw(tmp_path / "d")))
    (result,) = (result for result in Store(tmp_path / "r") if isinstance(result, Result))
    assert result.cell.location == {"path": str(tmp_path / "d")}
    assert decode_result(encode_result(result)).cell == result.cell


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_path_that_is_not_utf8_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / os.fsdecode(b"od\xff")
    draw(odd / "d")
    with pytest.raises(BadInput, match=r"folder: path='.*hold UTF-8 text only; rename the file or folder"):
        plan(tmp_path / "r", str(odd / "d"))
    monkeypatch.chdir(odd)
    cell = plan_cell(tmp_path / "r", "d").cell  # results have the path as it was given
    assert cell.location["path"] == "d"
