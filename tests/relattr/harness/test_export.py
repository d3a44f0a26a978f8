"""Results as one tidy table: what is in it, and that nothing else is."""

from __future__ import annotations

import csv
import json
import os
import sys

import numpy as np
import pytest


def test_strengths_give_the_accuracy_again(workspace):
    """Accuracy from the exported strengths and the dataset's pairs alone is the row's accuracy."""
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
        mine = {int(v["index"]): float(v["value"]) for v in table if v["key"] == row["key"]}
        correct = sum((truth[i] - truth[j]) * (mine[i] - mine[j]) > 0 for i in range(20) for j in range(i))
        assert correct / 190 == float(row["accuracy"])
        assert row["status"] == "ok"
        assert json.loads(row["fingerprints"])["data"] == "tiny-1"
        assert int(row["peak_memory_bytes"]) > 0
        assert row["python"].startswith(f"{sys.version_info.major}.")
    assert os.path.getsize(values) > 0


def test_parquet_has_the_same_rows(workspace):
    parquet = pytest.importorskip("pyarrow.parquet")
    workspace.write_method("good")
    workspace.write_benchmark()
    workspace.relattr("run")
    out = workspace.folder / "all.parquet"
    workspace.relattr("export", "--out", str(out))
    (row,) = parquet.read_table(out).to_pylist()
    assert (row["method"], row["accuracy"], row["dirty"] in (True, False, None)) == ("good", 1.0, True)
    assert "should end in .csv or .parquet" in workspace.relattr("export", "--out", "x.xlsx", code=2)


LOOKS = """

    def artifacts(self, train, run):
        import numpy as np
        return {"neighbours": np.zeros((3, 2), np.int32)}

    def boxes(self, images):
        import numpy as np
        return np.zeros((len(images), 1, 4), np.float32)
"""


def test_only_strengths_are_in_the_table_of_strengths(workspace):
    path = workspace.write_method("looks")
    text = path.read_text().replace("class It(Method)", "class It(InspectionMixin, Method)")
    path.write_text("from relattr.mixins import InspectionMixin\n" + text.rstrip() + LOOKS)
    workspace.write_benchmark()
    workspace.relattr("run")
    (file,) = workspace.folder.glob("results/tiny/looks/*.npz")
    with np.load(file) as arrays:
        assert {name.partition(" ")[0] for name in arrays.files} >= {"strengths", "exhibit"}  # something to leave out
    out = workspace.folder / "values.csv"
    workspace.relattr("export", "--out", str(workspace.folder / "all.csv"), "--strengths", str(out))
    with out.open() as written:
        table = list(csv.DictReader(written))
    assert [(row["kind"], int(row["index"])) for row in table] == [("strength", k) for k in range(20)]


def test_a_benchmark_is_exported_with_the_parameters_its_table_shows(workspace):
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


def test_a_row_that_no_plugin_understands_costs_no_other(workspace):
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
