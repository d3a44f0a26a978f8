"""A dataset that the benchmark does not list: its columns, its parameters, and what is said where it has no task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from relattr.errors import UnknownName
from relattr.harness.benchmark import load_benchmark
from relattr.harness.plan import Plan, make_plan
from relattr.harness.scope import benchmark_scope
from relattr.harness.selection import Selection
from relattr.harness.store import Store
from relattr.registry import registry


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    lines = ["image,score,attribute"]
    for k in range(10):
        Image.fromarray(np.full((3, 3, 3), k, np.uint8)).save(tmp_path / "own" / f"{k}.png")
        lines += [f"{k}.png,{k},red", f"{k}.png,{-k},blue"]
    (tmp_path / "own" / "any.csv").write_text("\n".join(lines))
    return tmp_path / "own"


def plan(results: Path, *datasets: str, **settings: str) -> Plan:
    registry.discover()
    choice = Selection(methods=["chance"], datasets=datasets, settings={f"folder.{k}": v for k, v in settings.items()})
    return make_plan(load_benchmark("quick"), registry, Store(results), choice)


def test_each_attribute_gets_a_column(own: Path, tmp_path: Path) -> None:
    made = plan(tmp_path / "results", "folder", path=str(own))
    assert [(p.cell.attribute, p.state) for p in made.cells] == [("red", "missing"), ("blue", "missing")]
    columns = [(c.label, c.dataset, c.attribute, c.test) for c in made.benchmark.table.columns]
    assert columns == [(f"Own images: {a}", "folder", a, "test") for a in ("red", "blue")]
    assert made.benchmark.table.caption == "Accuracy on Own images."
    assert made.benchmark.dataset["folder"]["path"] == str(own)
    belongs = benchmark_scope(made.benchmark, registry)
    assert all(belongs(p.cell) for p in made.cells)  # so that the table finds their rows


def test_columns_of_a_dataset_that_was_also_chosen_stay(own: Path, tmp_path: Path) -> None:
    made = plan(tmp_path / "results", "glyphs", "folder", path=str(own))
    assert [c.dataset for c in made.benchmark.table.columns] == ["glyphs"] * 4 + ["folder"] * 2


def test_without_such_a_dataset_the_benchmark_is_as_it_was(tmp_path: Path) -> None:
    assert plan(tmp_path / "results", "glyphs").benchmark == load_benchmark("quick")


def test_a_dataset_without_a_task_is_named_with_the_reason(own: Path, tmp_path: Path) -> None:
    (own / "any.csv").write_text("image,score\n0.png,nan\n")
    made = plan(tmp_path / "results", "folder", path=str(own))
    assert not made.cells
    assert "line 2: score is 'nan'" in made.without_tasks["folder"]
    assert "no path" in plan(tmp_path / "results", "folder").without_tasks["folder"]
    with pytest.raises(UnknownName, match="pth"):
        plan(tmp_path / "results", "folder", pth=str(own))
