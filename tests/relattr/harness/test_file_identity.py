"""A file that a parameter of a method names is identified by its content, not by its path."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from relattr.harness.benchmark import load_benchmark
from relattr.harness.cell import Cell
from relattr.harness.file_identity import content_digests, with_absolute_paths
from relattr.harness.plan import make_plan
from relattr.harness.selection import Selection
from relattr.harness.store import Store
from relattr.registry import registry


def plan_cell(results: Path, **settings: object) -> Cell:
    registry.discover()
    selection = Selection(methods=["viralnet-c"], datasets=["glyphs"], attributes=["global"], settings=settings)
    (planned,) = make_plan(load_benchmark("quick"), registry, Store(results), selection).cells
    return planned.cell


def test_content_decides_which_cell_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net").write_bytes(b"first")
    Path("folder").mkdir()
    shutil.copy("net", "folder/copy")
    Path("link").symlink_to("net")
    spellings = ["net", "./net", "folder/../net", str(tmp_path / "net"), "folder/copy", "link"]
    cells = [plan_cell(tmp_path / "r", category_network=spelling) for spelling in spellings]
    assert len({cell.key for cell in cells}) == 1
    assert all(Path(cell.method_parameters["category_network"]).is_absolute() for cell in cells)
    assert cells[4].stated_parameters["category_network"].startswith("copy (")
    Path("net").write_bytes(b"other")
    assert plan_cell(tmp_path / "r", category_network="net").key != cells[0].key
    assert plan_cell(tmp_path / "r", category_network="folder/copy").key == cells[0].key


def test_lists_of_files_have_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Path(name).write_text(name)
    method = registry.method("viralnet-c").cls

    def digests(*files: str) -> dict[str, str]:
        return content_digests(method, {"supplement_weights": list(files), "category_network": ""})

    assert digests("a", "b") != digests("b", "a")
    assert list(digests("a", "b")) == ["supplement_weights"]
    assert digests() == {}
    values = with_absolute_paths(method, {"supplement_weights": ["a", "gone"], "batch": 3})
    assert values == {"supplement_weights": [str(tmp_path / "a"), "gone"], "batch": 3}
    assert digests("gone") != digests("lost")  # the path stands for what cannot be read


def test_a_cell_without_files_keeps_its_key() -> None:
    cell = Cell("m", {"rate": 0.5}, "d", {}, "a", "standard", 0)
    with_files = Cell("m", {"rate": 0.5, "table": "x"}, "d", {}, "a", "standard", 0, files={"table": "0" * 64})
    moved = Cell("m", {"rate": 0.5, "table": "y"}, "d", {}, "a", "standard", 0, files={"table": "0" * 64})
    assert with_files.key == moved.key != cell.key
    assert cell.identifying_parameters == cell.stated_parameters == cell.method_parameters


def test_file_parameters_are_parameters() -> None:
    registry.discover()
    for plugin in registry.methods.values():
        assert set(plugin.cls.file_parameters) <= set(plugin.types), plugin.name


@pytest.mark.skipif(sys.platform != "linux", reason="cells run in separate processes on Linux only")
def test_a_moved_file_is_not_computed_again(workspace):
    body = "import pathlib; self.sign_ = float(pathlib.Path(self.table).read_text())"
    parameters = 'table: str = ""\n    file_parameters = ("table",)'
    workspace.write_method("m", body, parameters=parameters)
    workspace.write_benchmark()
    for name in "ab":
        (workspace.folder / name).write_text("1")
    inline = "--backend", "inline"
    assert "1 cell computed" in workspace.relattr("run", *inline, "--set", "table=a")
    assert "0 cells computed, 1 already available" in workspace.relattr("run", *inline, "--set", "table=b")
    (workspace.folder / "b").write_text("2")
    assert "1 cell computed" in workspace.relattr("run", *inline, "--set", "table=b")
