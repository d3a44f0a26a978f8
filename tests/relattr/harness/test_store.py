"""The store: what is written comes back, and what is not whole is named, set aside and computed again."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.harness import result as rows
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Provenance, Result, decode_result, encode_result
from relattr.harness.store import Store, Unreadable

CELL = Cell("m", {"C": 1.0}, "d", {}, "smile", "standard", 3)
ABOUT = Provenance(
    commit="c",
    dirty=False,
    command="relattr run",
    python="3.11",
    versions={},
    system="s",
    cpu="c",
    threads=1,
    memory_bytes=1,
    device="cpu",
    started="now",
)
RESULT = Result(
    version=VERSION,
    cell=CELL,
    status="ok",
    fingerprints={"data": "x"},
    provenance=ABOUT,
    label="M",
    dataset_label="D",
    tests=(rows.TestResult("test", n_images=3, n_pairs=3, n_ordered=2, n_correct=1, n_tied=1),),
)
ARRAYS = CellArrays(strengths={"test": np.array([0.5, np.nan, -1.0])})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_what_is_written_comes_back(store):
    store.write(RESULT, ARRAYS, "it said this\n")
    found = store.read(CELL)
    assert msgspec.structs.replace(found, arrays=None) == RESULT
    np.testing.assert_array_equal(store.arrays(found).strengths["test"], ARRAYS.strengths["test"])
    assert store.log(CELL) == "it said this\n"
    assert list(store) == [found]
    assert list(store.results_of_methods(["m"])) == [found]
    assert list(store.results_of_methods(["other"])) == []


def test_a_result_without_arrays_or_log_leaves_none_of_an_earlier_one(store):
    store.write(RESULT, ARRAYS, "log")
    store.write(RESULT)
    assert store.log(CELL) == ""
    assert not store.arrays(store.read(CELL))
    assert sorted(p.suffix for p in store.path(CELL).parent.iterdir()) == [".json"]


def test_nothing_there_is_none(store):
    assert store.read(CELL) is None
    assert list(store) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "truncated"),
        (b'{"version": 1, "cell"', "truncated"),
        (b"[]", "version is None"),
        (b'{"version": 99}', "version is 99, expected 1"),
        (b'{"version": 1}', "missing required field"),
        (encode_result(RESULT).replace(b'"ok"', b'"fine"'), "fine"),
        (encode_result(RESULT).replace(b'"n_correct": 1', b'"n_correct": 7'), "counts do not add up"),
        (encode_result(RESULT).replace(b'"seed": 3', b'"seed": 4'), "another cell"),
    ],
)
def test_a_foreign_or_torn_file_is_named_and_set_aside(store, content, why):
    path = store.path(CELL)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    found = store.read(CELL)
    assert isinstance(found, Unreadable)
    assert found.path == path
    assert why in found.reason
    aside = store.write(RESULT)
    assert aside is not None
    assert aside.read_bytes() == content
    assert store.read(CELL) == RESULT
    path.write_bytes(content)  # a second one does not overwrite the first
    assert store.set_aside(CELL) not in (None, aside)


def test_every_truncation_of_a_row_is_found(store):
    whole = encode_result(RESULT)
    store.path(CELL).parent.mkdir(parents=True)
    for n in range(len(whole) - 2):
        store.path(CELL).write_bytes(whole[:n])
        assert isinstance(store.read(CELL), Unreadable), n


def test_arrays_that_are_gone_or_others_are_found(store):
    store.write(RESULT, ARRAYS)
    path = store.path(CELL).with_suffix(".npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)  # the same length: found when it is read
    with pytest.raises(BadInput, match="not the file that was written with its result"):
        store.arrays(store.read(CELL))
    path.write_bytes(content[:-1])
    assert "bytes, expected" in store.read(CELL).reason
    path.unlink()
    assert "cannot be read" in store.read(CELL).reason


def test_a_name_that_is_not_the_cells_is_found(store):
    store.write(RESULT)
    path = store.path(CELL)
    path.rename(path.with_name("other.json"))
    (found,) = store
    assert "its name should be" in found.reason


def test_a_killed_writers_file_is_swept(store):
    store.write(RESULT)
    path = store.path(CELL)
    left = path.with_name(f".{path.name}.abc123.tmp")
    left.write_bytes(b"half")
    store.write(RESULT)
    assert not left.exists()


def test_a_lock_is_seen_and_released(store):
    assert not store.is_locked(CELL)
    with store.lock(CELL):
        assert store.is_locked(CELL)
    assert not store.is_locked(CELL)


def test_names_that_no_file_system_takes(store):
    cells = [Cell(name, {}, "a/b", {}, "../x", "s", 0) for name in ("a b", "a_b", "..", "ü" * 300, "con?")]
    for cell in cells:
        store.write(msgspec.structs.replace(RESULT, cell=cell))
    assert {r.cell.method for r in store} == {cell.method for cell in cells}
    for path in store.folder.rglob("*.json"):
        assert path.resolve().is_relative_to(store.folder.resolve())


def test_results_folder_that_is_a_file(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(BadInput, match="is a file"):
        Store(tmp_path / "f")


def test_key_depends_on_every_coordinate_and_on_no_order():
    other = [
        msgspec.structs.replace(CELL, **{name: value})
        for name, value in {
            "method": "n",
            "method_parameters": {"C": 2.0},
            "dataset": "e",
            "dataset_parameters": {"a": 1},
            "attribute": "b",
            "split": "t",
            "seed": 4,
        }.items()
    ]
    assert len({CELL.key, *(cell.key for cell in other)}) == 8
    one = msgspec.structs.replace(CELL, method_parameters={"a": 1, "b": 2})
    two = msgspec.structs.replace(CELL, method_parameters={"b": 2, "a": 1})
    assert one.key == two.key


def test_encoded_rows_are_readable_and_older_ones_without_new_fields_too():
    plain = json.loads(encode_result(RESULT))
    for name in ("seconds", "peak_memory_bytes", "warnings", "limits", "attempts", "arrays"):
        plain.pop(name)
    assert decode_result(json.dumps(plain).encode()) == RESULT
