"""Selection by the user: attributes, seeds, parameters, and datasets that the benchmark does not list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from relattr.cli import cli
from relattr.errors import UnknownName
from relattr.harness.benchmark import load_benchmark
from relattr.harness.plan import Plan, make_plan
from relattr.harness.scope import benchmark_scope
from relattr.harness.selection import Selection
from relattr.harness.store import Store
from relattr.registry import registry


def test_attributes_are_selected_by_pattern(tmp_path):
    def plan(*arguments):
        command = ["plan", "quick", "--verbose", "--methods", "chance", *arguments, "--results", str(tmp_path)]
        return CliRunner().invoke(cli, command)

    def attributes(*arguments):
        lines = plan(*arguments).output.splitlines()
        return {line.split()[2].split("/")[1] for line in lines if line.startswith("missing")}

    assert attributes() == {"global", "local", "multiscale", "category"}
    assert attributes("--attributes", "*l*l") == {"global", "local"}
    assert attributes("--attributes", "cat*", "--attributes", "local") == {"category", "local"}
    wrong = plan("--attributes", "lokal")
    assert wrong.exit_code != 0
    assert "did you mean" in str(wrong.exception) + wrong.output


def test_a_method_of_no_name_may_be_a_plugin(tmp_path):
    for command in (
        ["plan", "quick", "--results", str(tmp_path), "--methods"],
        ["check", "method"],
        ["list", "methods"],
    ):
        error = CliRunner().invoke(cli, [*command, "tiny-torch"]).exception
        assert "pass the folder of the file: --plugins FOLDER" in str(error)
        assert "did you mean" not in str(error)


def test_seeds_replace_those_of_the_benchmark(tmp_path):
    def seeds(*arguments):
        command = ["plan", "glyphs", "--verbose", "--attributes", "global", "--methods", "siamese-alexnet", *arguments]
        lines = CliRunner().invoke(cli, [*command, "--results", str(tmp_path)]).output.splitlines()
        return [int(line.split()[4]) for line in lines if line.startswith("missing")]

    assert seeds() == [0, 1, 2]
    assert seeds("--seeds", "2", "--seeds", "7", "--seeds", "2") == [2, 7]


def test_settings_select_other_cells(workspace):
    workspace.write_method("has-c", parameters="C: float = 1.0")
    workspace.write_benchmark()
    workspace.relattr("run")
    assert workspace.states()["has-c 0"].startswith("done")
    assert "missing" in workspace.relattr("plan", "--set", "C=2")
    assert "missing" not in workspace.relattr("plan", "--set", "has-c.C=1.0")
    assert "is not valid" in workspace.relattr("plan", "--set", "C=much", code=2)
    assert "did you mean" in workspace.relattr("plan", "--set", "has-d.C=1", code=2)


def test_a_method_and_a_dataset_may_share_a_name(workspace):
    path = workspace.write_method("other", parameters="gamma: float = 1.0")
    path.write_text(path.read_text().replace('"other"', '"tiny"'))
    workspace.write_benchmark(methods=["tiny"])
    assert "missing" in workspace.relattr("plan", "--set", "tiny.n_attributes=2", "--set", "tiny.gamma=2")
    assert "gamma" in workspace.relattr("plan", "--set", "tiny.gama=2", code=2)


@pytest.fixture
def own_images(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    lines = ["image,score,attribute"]
    for k in range(10):
        Image.fromarray(np.full((3, 3, 3), k, np.uint8)).save(tmp_path / "own" / f"{k}.png")
        lines += [f"{k}.png,{k},red", f"{k}.png,{-k},blue"]
    (tmp_path / "own" / "any.csv").write_text("\n".join(lines))
    return tmp_path / "own"


def plan_quick(results: Path, *datasets: str, **settings: str) -> Plan:
    """The plan of the benchmark "quick" with these datasets and these parameters of the dataset "folder"."""
    registry.discover()
    settings = {f"folder.{name}": value for name, value in settings.items()}
    selection = Selection(methods=["chance"], datasets=datasets, settings=settings)
    return make_plan(load_benchmark("quick"), registry, Store(results), selection)


def test_an_unlisted_dataset_gets_a_column_per_attribute(own_images: Path, tmp_path: Path) -> None:
    plan = plan_quick(tmp_path / "results", "folder", path=str(own_images), split="held-out")
    assert [(p.cell.attribute, p.state) for p in plan.cells] == [("red", "missing"), ("blue", "missing")]
    columns = [(c.label, c.dataset, c.attribute, c.test) for c in plan.benchmark.table.columns]
    assert columns == [(f"Own images: {a}", "folder", a, "test") for a in ("red", "blue")]
    assert plan.benchmark.table.caption == "Accuracy on Own images."
    assert plan.benchmark.dataset["folder"]["path"] == str(own_images)
    in_scope = benchmark_scope(plan.benchmark, registry)
    assert all(in_scope(p.cell) for p in plan.cells)  # the table shows their results


def test_columns_of_other_selected_datasets_remain(own_images: Path, tmp_path: Path) -> None:
    plan = plan_quick(tmp_path / "results", "glyphs", "folder", path=str(own_images))
    assert [c.dataset for c in plan.benchmark.table.columns] == ["glyphs"] * 4 + ["folder"] * 2


def test_a_listed_dataset_leaves_the_benchmark_unchanged(tmp_path: Path) -> None:
    assert plan_quick(tmp_path / "results", "glyphs").benchmark == load_benchmark("quick")


def test_a_dataset_without_tasks_is_reported_with_the_reason(own_images: Path, tmp_path: Path) -> None:
    (own_images / "any.csv").write_text("image,score\n0.png,nan\n")
    plan = plan_quick(tmp_path / "results", "folder", path=str(own_images))
    assert not plan.cells
    assert "line 2: score is 'nan'" in plan.without_tasks["folder"]
    assert "no path" in plan_quick(tmp_path / "results", "folder").without_tasks["folder"]
    with pytest.raises(UnknownName, match="pth"):
        plan_quick(tmp_path / "results", "folder", pth=str(own_images))
