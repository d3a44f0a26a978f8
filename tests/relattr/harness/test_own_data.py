"""Benchmarks of own data: where the data is, and the columns of its attributes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from relattr.errors import BadInput
from relattr.harness.benchmark import Benchmark, TableSpec, load_benchmark
from relattr.harness.cell import Cell
from relattr.harness.own_data import own_benchmark, unlocated_datasets
from relattr.harness.result import VERSION, Provenance, Result
from relattr.registry import registry

PROVENANCE = Provenance("0", None, "", "3", {}, "", "", 1, 1, "cpu", "")


@pytest.fixture(autouse=True)
def discovered() -> None:
    registry.discover()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photographs with the attributes `red` and `blue`."""
    for k in range(8):
        Image.fromarray(np.full((4, 4, 3), k, np.uint8)).save(tmp_path / f"{k}.png")
    rows = [f"{k}.png,{k},{attribute}" for attribute in ("red", "blue") for k in range(8)]
    (tmp_path / "any.csv").write_text("\n".join(["image,score,attribute", *rows]))
    return tmp_path


def result_on(path: Path, started: str, attribute: str = "red", **parameters: object) -> Result:
    """A result on the data at a path."""
    values = {"split": "auto", "test": None, "seed": 0, "n_train_pairs": None, "n_test_pairs": None, **parameters}
    cell = Cell("chance", {}, "folder", values, attribute, "fold-1", 0, "digest", {"path": str(path)})
    provenance = msgspec.structs.replace(PROVENANCE, started=started)
    return Result(VERSION, cell, "blocked", {}, provenance, "Chance", "Own images")


def columns(benchmark: Benchmark) -> list[tuple[str, str, str]]:
    return [(column.label, column.dataset, column.attribute) for column in benchmark.table.columns]


def test_each_attribute_of_the_data_has_a_column(data: Path) -> None:
    benchmark = own_benchmark(load_benchmark("own"), registry, [], data)
    assert benchmark.dataset == {"folder": {"path": str(data)}}
    assert columns(benchmark) == [("red", "folder", "red"), ("blue", "folder", "blue")]


def test_by_default_the_data_is_that_of_the_latest_results(data: Path) -> None:
    results = [
        result_on(data / "gone", "2020-01-01"),
        result_on(data, "2020-01-03", seed=3),
        result_on(data / "gone too", "2020-01-02"),
    ]
    benchmark = own_benchmark(load_benchmark("own"), registry, results)
    assert benchmark.dataset["folder"]["path"] == str(data)
    assert benchmark.dataset["folder"]["seed"] == 3
    assert len(columns(benchmark)) == 2
    assert own_benchmark(load_benchmark("own"), registry, results, data / "any.csv").dataset == {
        "folder": {"path": str(data / "any.csv")}
    }


def test_results_dated_in_the_future_are_not_the_latest(data: Path) -> None:
    """The clock of their machine was wrong: what was computed after them has an earlier date."""
    ahead = [result_on(data / name, f"{year}-01-01") for name, year in (("b", 2999), ("c", 2998))]
    benchmark = own_benchmark(load_benchmark("own"), registry, [ahead[0], result_on(data, "2020-01-01"), ahead[1]])
    assert benchmark.dataset["folder"]["path"] == str(data)
    alone = own_benchmark(load_benchmark("own"), registry, ahead)
    assert alone.dataset["folder"]["path"] == str(data / "b")


def test_results_name_the_attributes_of_data_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    results = [result_on(gone, "2020-01-01", attribute) for attribute in ("a", "b", "a")]
    benchmark = own_benchmark(load_benchmark("own"), registry, results)
    assert columns(benchmark) == [("a", "folder", "a"), ("b", "folder", "b")]


def test_without_data_and_results_nothing_changes() -> None:
    own = load_benchmark("own")
    assert own_benchmark(own, registry, []) == own
    assert unlocated_datasets(own, registry) == ["folder"]


def test_other_benchmarks_are_left_as_they_are(data: Path) -> None:
    table3 = load_benchmark("table3")
    assert own_benchmark(table3, registry, [result_on(data, "2020-01-01")]) == table3
    with pytest.raises(BadInput, match=r"--data is for benchmarks of your own .*--set folder.path="):
        own_benchmark(table3, registry, [], data)


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere does not exist; expected a folder of photographs with a .csv file"):
        own_benchmark(load_benchmark("own"), registry, [], tmp_path / "nowhere")


def test_a_benchmark_that_says_where_its_data_is_keeps_it(data: Path) -> None:
    fixed = Benchmark("t", ("chance",), ("folder",), TableSpec(""), dataset={"folder": {"path": str(data)}})
    assert own_benchmark(fixed, registry, [result_on(data / "other", "2020-01-01")]).dataset == fixed.dataset
