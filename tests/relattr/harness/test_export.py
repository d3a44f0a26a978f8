"""The exported tables: their columns and rows."""

from __future__ import annotations

import csv
import json
import os
import sys

import numpy as np
import pandas as pd
import pytest

from relattr import Dataset, Images, Pairs, Task, TestSet, TrainingSet
from relattr.harness import export as exporting
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.export import RESULT_COLUMNS, STRENGTH_COLUMNS, results_frame, strengths_frames, write_frames
from relattr.harness.result import VERSION, Provenance, Result, TestResult
from relattr.harness.store import Store
from relattr.registry import Plugin, Registry


def test_exported_strengths_reproduce_the_accuracy(workspace):
    """Accuracy computed from the exported strengths and the dataset's pairs is the exported accuracy."""
    workspace.write_method("noisy", "self.r_ = run.rng('n').normal(size=20) * 30", noise="self.r_[: len(images)]")
    workspace.write_benchmark(seeds=[0, 1])
    workspace.relattr("run")
    out, values = workspace.folder / "all.csv", workspace.folder / "values.csv"
    workspace.relattr("export", "--out", str(out), "--strengths", str(values))
    truth = np.random.default_rng(0).permutation(40)[20:]
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    with values.open() as file:
        table = list(csv.DictReader(file))
    for row in rows:
        strength = {int(v["index"]): float(v["value"]) for v in table if v["key"] == row["key"]}
        correct = sum((truth[i] - truth[j]) * (strength[i] - strength[j]) > 0 for i in range(20) for j in range(i))
        assert correct / 190 == float(row["accuracy"])
        assert row["status"] == "ok"
        assert json.loads(row["fingerprints"])["data"] == "tiny-1"
        assert int(row["peak_memory_bytes"]) > 0
        assert row["python"].startswith(f"{sys.version_info.major}.")
    assert os.path.getsize(values) > 0


@pytest.fixture
def store(tmp_path):
    """Two results with awkward numbers, and one without numbers."""
    store = Store(tmp_path / "results")
    provenance = Provenance("c", None, "run", "3", {}, "s", "c", 1, 2**53 + 1, "cpu", "now")
    strengths = np.array([0.1, np.nan, 1 / 3, 1e-300, -1e22])
    for seed, arrays in enumerate((CellArrays(strengths={"test": strengths}), CellArrays(margins={"a b": strengths}))):
        tests = (TestResult("test", 5, 10, 9, 3, 1, spearman=0.1 + 0.2),)
        cell = Cell("gone", {"C": 0.1}, "d", {}, 'a "quoted", attribute', "standard", seed)
        store.write(Result(VERSION, cell, "ok", {"data": "x"}, provenance, "Größe", "D", tests=tests), arrays)
    failed = Cell("gone", {}, "d", {}, "a", "standard", 0)
    store.write(Result(VERSION, failed, "failed", {}, provenance, "M", "D", reason="two\nlines"))
    return store


def read_table(path, columns):
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        return pd.read_parquet(path)
    table = pd.read_csv(path, dtype=str)
    for name in table:
        if columns[name] in (int, float):  # parsed by Python, which reads back what was written
            table[name] = [columns[name](text) if isinstance(text, str) else np.nan for text in table[name]]
    return table


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_have_the_exact_values(store, tmp_path, suffix):
    frame = results_frame(store, Registry(), store)
    assert write_frames(tmp_path / f"all{suffix}", [frame], RESULT_COLUMNS) == 3
    read = read_table(tmp_path / f"all{suffix}", RESULT_COLUMNS)
    assert list(read.columns) == list(frame.columns) == list(RESULT_COLUMNS)
    by_status = read.set_index("status")
    assert by_status.loc["failed", "reason"] == "two\nlines"
    assert np.isnan(by_status.loc["failed", "accuracy"])
    assert list(by_status.loc["ok", "accuracy"]) == [3 / 9] * 2
    assert list(by_status.loc["ok", "spearman"]) == [0.1 + 0.2] * 2
    assert list(by_status.loc["ok", "attribute"]) == ['a "quoted", attribute'] * 2
    assert set(read["memory_bytes"]) == {2**53 + 1}
    assert set(read["state"]) == {"unknown"}  # the plugins are not registered


@pytest.mark.parametrize("chunk", [1, 1 << 16])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_strengths_in_chunks_are_one_table(store, tmp_path, monkeypatch, chunk, suffix):
    monkeypatch.setattr(exporting, "_CHUNK", chunk)
    results = [result for result in store if result.status == "ok"]
    frames = list(strengths_frames(results, Registry(), store))
    assert len(frames) == (3 if chunk == 1 else 1)
    path = tmp_path / f"values{suffix}"
    assert write_frames(path, frames, STRENGTH_COLUMNS) == 8
    read = read_table(path, STRENGTH_COLUMNS)
    rows = read[["kind", "test", "index", "value"]].itertuples(index=False, name=None)
    values = [(0, 0.1), (2, 1 / 3), (3, 1e-300), (4, -1e22)]
    assert sorted(rows) == sorted((k, t, i, v) for k, t in (("strength", "test"), ("margin", "a b")) for i, v in values)


def test_an_interrupted_export_leaves_the_old_file(store, tmp_path):
    path = tmp_path / "all.csv"
    path.write_text("old")

    def frames():
        yield results_frame(store, Registry(), store)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_frames(path, frames(), RESULT_COLUMNS)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["all.csv"]


def test_parquet_files_have_rows_and_types(workspace):
    parquet = pytest.importorskip("pyarrow.parquet")
    workspace.write_method("good")
    workspace.write_benchmark()
    workspace.relattr("run")
    out = workspace.folder / "all.parquet"
    workspace.relattr("export", "--out", str(out))
    (row,) = parquet.read_table(out).to_pylist()
    assert (row["method"], row["accuracy"], row["dirty"] in (True, False, None)) == ("good", 1.0, True)
    assert "should end in .csv or .parquet" in workspace.relattr("export", "--out", "x.xlsx", code=2)


INSPECTION = """

    def artifacts(self, train, run):
        import numpy as np
        return {"neighbours": np.zeros((3, 2), np.int32)}

    def boxes(self, images):
        import numpy as np
        return np.zeros((len(images), 1, 4), np.float32)
"""


def test_boxes_and_artifacts_are_not_exported(workspace):
    path = workspace.write_method("inspected")
    text = path.read_text().replace("class Generated(Method)", "class Generated(InspectionMixin, Method)")
    path.write_text("from relattr.mixins import InspectionMixin\n" + text.rstrip() + INSPECTION)
    workspace.write_benchmark()
    workspace.relattr("run")
    (file,) = workspace.folder.glob("results/tiny/inspected/*.npz")
    with np.load(file) as arrays:
        assert {name.partition(" ")[0] for name in arrays.files} >= {"strengths", "exhibit"}  # something to leave out
    out = workspace.folder / "values.csv"
    workspace.relattr("export", "--out", str(workspace.folder / "all.csv"), "--strengths", str(out))
    with out.open() as written:
        table = list(csv.DictReader(written))
    assert [(row["kind"], int(row["index"])) for row in table] == [("strength", k) for k in range(20)]


def test_a_benchmark_is_exported_with_all_parameters(workspace):
    workspace.write_method("m", parameters="C: float = 1.0")
    path = workspace.write_benchmark()
    workspace.relattr("run", "--set", "C=3")
    workspace.relattr("run")
    out = workspace.folder / "all.csv"
    workspace.relattr("export", str(path), "--out", str(out))
    with out.open() as written:
        rows = list(csv.DictReader(written))
    assert sorted(json.loads(row["method_parameters"])["C"] for row in rows) == [1.0, 3.0]
    assert {row["ties"] for row in rows} == {"error"}
    path.write_text(path.read_text() + "[dataset.tiny]\nfingerprint_text = 'other'\n")  # the same name, other data
    assert "0 rows of 0 cells" in workspace.relattr("export", str(path), "--out", str(out))


def test_a_result_with_old_parameters_costs_no_other(workspace):
    workspace.write_method("m", parameters="C: str = 'abc'")
    workspace.write_method("n")
    workspace.write_benchmark()
    workspace.relattr("run")
    workspace.write_method("m", parameters="C: float = 1.0")
    out = workspace.folder / "all.csv"
    workspace.relattr("export", "--out", str(out), "--keep-stale")
    with out.open() as written:
        states = {row["method"]: (row["state"], row["state_why"]) for row in csv.DictReader(written)}
    assert states["n"] == ("done", "")
    assert states["m"][0] == "blocked"
    assert "C='abc' is not valid" in states["m"][1]


class FourImages(Dataset):
    """Two training images and four test images."""

    def attributes(self):
        return ["x"]

    def fingerprint(self):
        return "now"

    def task(self, name):
        images = Images.from_arrays([np.zeros((2, 2, 3), np.uint8)] * 4, [f"photo {k}.png" for k in range(4)])
        pairs = Pairs([0, 1, 2], [3, 0, 1], [1, -1, 0])
        return Task(name, TrainingSet(images, pairs), [TestSet("test", images, pairs)], "")


@pytest.mark.parametrize("fingerprint", ["now", "before"])
def test_strengths_have_the_names_of_their_images(store, tmp_path, fingerprint):
    """Unless the dataset has changed since."""
    registry = Registry()
    registry.datasets["four"] = Plugin("four", "Four", FourImages, {})
    provenance = next(iter(store)).provenance
    named = Store(tmp_path / "named")
    values = (CellArrays(strengths={"test": np.arange(4.0)}), CellArrays(margins={"test": np.arange(3.0)}))
    for seed, arrays in enumerate(values):
        cell = Cell("m", {}, "four", {}, "x", "standard", seed)
        tests = (TestResult("test", 4, 3, 2, 1, 0),)
        result = Result(VERSION, cell, "ok", {"data": fingerprint}, provenance, "M", "D", tests=tests)
        named.write(result, arrays)
    (frame,) = strengths_frames(list(named), registry, named)
    rows = [
        tuple(None if pd.isna(v) else v for v in row) for row in zip(frame["image"], frame["right_image"], strict=True)
    ]
    images = [f"photo {k}.png" for k in range(4)]
    expected = [(image, None) for image in images] + [(images[a], images[b]) for a, b in ((0, 3), (1, 0), (2, 1))]
    assert rows == (expected if fingerprint == "now" else [(None, None)] * 7)
