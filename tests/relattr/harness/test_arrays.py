"""The arrays of a cell: the keys of their file, what it accepts, and reading one array at a time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.harness.arrays import CellArrays

ROOT = Path(__file__).resolve().parents[3]


def cell_arrays(**more):
    return CellArrays(
        strengths={"test": np.array([0.5, np.nan])},
        margins={"random pairs": np.array([1.0, -1.0, 0.0])},
        boxes={"test": np.zeros((2, 3, 4), np.float32)},
        artifacts={"neighbours before": np.zeros((2, 1), np.int32), **more},
    )


def test_the_file_has_the_documented_keys():
    with np.load(io.BytesIO(cell_arrays().to_npz())) as file:
        assert file.files == ["strengths test", "margins random pairs", "boxes test", "exhibit neighbours before"]


@pytest.mark.parametrize("size", [1, 1 << 16])  # below and above the size from which files are compressed
def test_reading_returns_what_was_written(tmp_path, size):
    written = cell_arrays(large=np.arange(size))
    (tmp_path / "a.npz").write_bytes(written.to_npz())
    for read in (CellArrays.from_npz(written.to_npz()), CellArrays.open_npz(tmp_path / "a.npz")):
        for group in ("strengths", "margins", "boxes", "artifacts"):
            assert list(getattr(read, group)) == list(getattr(written, group))
            for name, array in getattr(written, group).items():
                np.testing.assert_array_equal(getattr(read, group)[name], array)
        assert "test" not in read.margins
        assert read.artifacts.get("curve") is None
        with pytest.raises(KeyError):
            read.strengths["other"]


def test_no_arrays_are_no_content():
    assert CellArrays().to_npz() == b""
    assert not CellArrays.from_npz(b"")


def test_an_array_of_objects_is_refused():
    arrays = CellArrays()
    with pytest.raises(BadInput, match=r"artifacts\['what'\] is list of object"):
        arrays.artifacts["what"] = [{}]
    assert not arrays


def test_a_damaged_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "torn.npz"
    content = cell_arrays().to_npz()
    for damaged in (content[:-30], b"no zip", content.replace(np.array([0.5]).tobytes(), bytes(8))):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"torn\.npz"):
            CellArrays.open_npz(path).strengths["test"]
    with pytest.raises(BadInput, match=r"absent\.npz"):
        list(CellArrays.open_npz(tmp_path / "absent.npz").strengths)


def test_one_array_is_read_without_the_others(tmp_path):
    """A file whose other array is damaged still gives this one."""
    content = cell_arrays().to_npz()
    (tmp_path / "a.npz").write_bytes(content.replace(np.array([1.0, -1.0, 0.0]).tobytes(), bytes(24)))
    arrays = CellArrays.open_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays.strengths["test"], [0.5, np.nan])
    with pytest.raises(BadInput):
        arrays.margins["random pairs"]


def test_every_key_of_the_reference_results_belongs_to_a_group():
    paths = sorted((ROOT / "results" / "reference").glob("[!.]*/*/*.npz"))
    assert paths
    for path in paths[:: max(1, len(paths) // 20)]:
        arrays = CellArrays.open_npz(path)
        with np.load(path) as file:
            n_keys = len(file.files)
        assert n_keys == len(arrays.strengths) + len(arrays.margins) + len(arrays.boxes) + len(arrays.artifacts)
        assert arrays.strengths or arrays.margins
