"""A released file has everything that is stored with results, exactly."""

from __future__ import annotations

import hashlib
import json
import math

import msgspec
import numpy as np
import pytest

from relattr.errors import BadInput, UnknownName
from relattr.harness import tested_pairs
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.release import ReleasedResults, open_results, write_release
from relattr.harness.release_columns import COLUMNS, RECORDS, dictionary_table
from relattr.harness.release_rows import release_rows
from relattr.harness.result import VERSION, BoxAccuracy, Provenance, Result, TestResult
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Store
from relattr.harness.stored_audits import audit_key
from relattr.pairs import Pairs

SUFFIXES = [".parquet", ".jsonl"]
ALL = ResultSelection()
PROVENANCE = Provenance(
    commit="c0ffee",
    dirty=True,
    command="relattr run 'größe' | \"quoted\"",
    python="3.11",
    versions={"torch": "2", "numpy": "1"},
    system="Linux",
    cpu="Ω, 2 cores",
    threads=3,
    memory_bytes=2**53 + 1,
    device="cuda:1",
    started="2026-01-01T00:00:00+00:00",
    host="机器",
    gpu="0",
)
CELL = Cell(
    method="größe",
    method_parameters={"z": None, "C": 0.1 + 0.2, "a": [1, "x"], "weights": "net.npz"},
    dataset="d",
    dataset_parameters={"n": 5},
    attribute='a "b", c\nd',
    split="odd split",
    seed=2**31,
    data="abc",
    location={"path": "/my photos"},
    files={"weights": "0" * 64},
)
RESULT = Result(
    version=VERSION,
    cell=CELL,
    status="ok",
    fingerprints={"data": "x", "code b": "1", "code a": "2"},
    provenance=PROVENANCE,
    label="Größe",
    dataset_label="D",
    reason="=1+1",
    traceback="Traceback\n  <b>",
    protocol="p",
    notes=("one", "two; three"),
    task_deviations=("other labels",),
    method_notes=("n",),
    deviations=("d",),
    fitted={"C_": 1e-300, "n": 3, "flag": True, "name": "é"},
    tests=(
        TestResult("test", 5, 4, 3, 1, 1, "note", -0.1, "half", BoxAccuracy(0.1, 0.2, 0.3, 1 / 3), "other pairs", True),
        TestResult("second", 3, 3, 3, 0, 0),
    ),
    seconds_fit=0.1,
    seconds_compare=1e22,
    seconds=3.0,
    peak_memory_bytes=2**40,
    warnings=("w",),
    limits={"time": "1h"},
    attempts=2,
)
STRENGTHS = np.array([0.1, np.nan, 1 / 3, -1e-300, -0.0])
MEMBERS = {
    "strengths test": STRENGTHS,
    "margins second": np.array([5e-324, -1e308, 0.0]),
    "boxes test": np.linspace(0, 1, 40, dtype=np.float32).reshape(5, 2, 4),
    "exhibit neighbours": np.arange(-3, 3, dtype=np.int32).reshape(2, 3),
    "exhibit curve": np.array([[1.5, np.inf, -np.inf, np.nan]], np.float32),
    "exhibit mask": np.array([True, False]),
    "exhibit none": np.zeros((0, 4)),
    "exhibit scalar": np.array(7, np.uint8),
    "exhibit stages": np.array(["a", "größer als", ""]),
}
FAILED = msgspec.structs.replace(
    RESULT,
    cell=Cell("m", {}, "d", {}, "a", "standard", 0),
    status="failed",
    tests=(),
    seconds=None,
    provenance=msgspec.structs.replace(PROVENANCE, dirty=None),
)
ORDERED = Pairs.all_of([0.5, 0.25, 0.5], items=[2, 0, 4], seed=2**64 - 1)
AUDIT = audit_key("d", {"n": 5}, "x")
LISTED = Pairs([0, 1, 2], [1, 2, 0], [1, 0, -1])


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results")
    store.write(RESULT, CellArrays.of_members(dict(MEMBERS)), "printed\ttext\n")
    store.write(FAILED, None, "it broke\n")
    names = ["größe.png", "b\udcff.png", "", "d", "e"]
    store.keep_test_pairs(
        tested_pairs.test_key(RESULT, "test"), tested_pairs.TestPairs(ORDERED, np.array([9, 8, 7, 6, 5]), names)
    )
    store.keep_test_pairs(tested_pairs.test_key(RESULT, "second"), tested_pairs.TestPairs(LISTED, np.array([2, 1, 0])))
    store.keep_audit_record(AUDIT, b'{"leaks": "\xc3\xa9"}')
    return store


def release(store, folder, suffix, selection=ALL):
    return write_release(store, folder / f"out{suffix}", selection).file


def rows_of(store):
    return release_rows(store, [item for item in store if isinstance(item, Result)])[0]


# ---------------------------------------------------------------------- everything, exactly


def test_the_example_has_a_value_in_every_field():
    """So that a field which is added to results cannot be left out of the file."""
    for struct in (RESULT, RESULT.tests[0], RESULT.tests[0].boxes, PROVENANCE, CELL):
        kind = type(struct)
        for name, default in zip(kind.__struct_fields__[::-1], kind.__struct_defaults__[::-1], strict=False):
            if name not in ("arrays", "status"):
                assert getattr(struct, name) not in (default, (), {}, None), name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_result_is_read_as_it_was_stored(store, tmp_path, suffix):
    released = open_results(release(store, tmp_path, suffix))
    assert isinstance(released, ReleasedResults)
    assert list(released) == list(store)
    for result in store:
        assert list(released.read(result.cell).cell.method_parameters) == list(result.cell.method_parameters)
        assert released.log(result.cell) == store.log(result.cell)
        assert not released.is_locked(result.cell)
        assert list(released.results_of_methods([result.cell.method])) == [result]
    assert released.read(msgspec.structs.replace(CELL, seed=1)) is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_array_is_read_as_it_was_stored(store, tmp_path, suffix):
    released = open_results(release(store, tmp_path, suffix))
    members = released.arrays(released.read(CELL)).members()
    assert set(members) == set(MEMBERS)
    for name, expected in MEMBERS.items():
        assert members[name].dtype == expected.dtype, name
        assert members[name].shape == expected.shape, name
        assert members[name].tobytes() == expected.tobytes(), name
    assert not released.arrays(released.read(FAILED.cell))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_test_sets_and_audits_are_read_as_they_were_stored(store, tmp_path, suffix):
    released = open_results(release(store, tmp_path, suffix))
    assert released.test_pair_keys() == store.test_pair_keys()
    for key in store.test_pair_keys():
        one, other = store.test_pairs(key), released.test_pairs(key)
        assert one.pairs.fingerprint() == other.pairs.fingerprint()
        np.testing.assert_array_equal(one.image_ids, other.image_ids)
        assert one.names == other.names
    ordered = released.test_pairs(tested_pairs.test_key(RESULT, "test"))
    assert ordered.names == ["größe.png", "b\\udcff.png", "", "d", "e"]
    assert ordered.pairs.order.seed == 2**64 - 1
    assert {key: released.audit_record(key) for key in released.audit_keys()} == {AUDIT: b'{"leaks": "\xc3\xa9"}'}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_results_give_the_same_bytes(store, tmp_path, suffix):
    """Also from another folder, and from a released file of either format."""
    first = release(store, tmp_path / "a", suffix)
    content = first.read_bytes()
    assert release(Store(tmp_path / "results"), tmp_path / "b", suffix).read_bytes() == content
    for other in SUFFIXES:
        middle = release(store, tmp_path / "c", other)
        assert release(open_results(middle), tmp_path / "d", suffix).read_bytes() == content


def test_the_digest_file_and_the_dictionary_lie_beside(store, tmp_path):
    path = release(store, tmp_path, ".jsonl")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "out.jsonl.sha256").read_text() == f"{digest}  out.jsonl\n"  # what sha256sum --check reads
    text = (tmp_path / "out-columns.md").read_text()
    assert all(f"`{column.name}`" in text for column in COLUMNS)


def test_chosen_results_are_released_with_their_test_sets(store, tmp_path):
    released = open_results(release(store, tmp_path, ".jsonl", ResultSelection(methods=["m"])))
    assert [result.cell.method for result in released] == ["m"]
    assert released.test_pair_keys() == []
    with pytest.raises(UnknownName, match="is called 'x'"):
        release(store, tmp_path, ".jsonl", ResultSelection(methods=["x"]))


def test_arrays_of_other_types_are_named(store, tmp_path):
    store.write(RESULT, CellArrays.of_members({**MEMBERS, "exhibit c": np.array([1j])}))
    written = write_release(store, tmp_path / "out.jsonl", ALL)
    assert written.left_out == [f"exhibit c of {CELL} (complex128)"]


def test_audits_are_released_of_the_data_of_chosen_results(store, tmp_path):
    """Audits name images: those of other data, of the data before it changed, and of other parameters stay out."""
    of_failed = audit_key("d", {}, "x")
    for key in (of_failed, audit_key("d", {"n": 5}, "old"), audit_key("d", {"n": 6}, "x"), audit_key("e", {}, "x")):
        store.keep_audit_record(key, b"{}")
    for methods, expected in (([], {AUDIT, of_failed}), (["m"], {of_failed}), ([CELL.method], {AUDIT})):
        selection = ResultSelection(methods=methods)
        released = open_results(release(store, tmp_path, ".jsonl", selection))
        assert set(released.audit_keys()) == expected, methods


def test_the_audit_is_released_of_own_data_without_pixels(store, tmp_path):
    """The result of a method that sees no pixels has the digest of the labels, and the audit that of the data."""
    of_data = audit_key("d", {"n": 5}, CELL.data)
    store.keep_audit_record(of_data, b"{}")
    store.write(msgspec.structs.replace(RESULT, fingerprints={"data": "labels"}))
    assert open_results(release(store, tmp_path, ".jsonl")).audit_keys() == [of_data]


def test_another_result_on_the_same_data_identifies_its_audit(store, tmp_path):
    """A method that sees no pixels is released alone; the others on its data know the audit that notes leaks."""
    cell = msgspec.structs.replace(CELL, method="blind")
    store.write(msgspec.structs.replace(RESULT, cell=cell, fingerprints={"data": "labels"}))
    released = open_results(release(store, tmp_path, ".jsonl", ResultSelection(methods=["blind"])))
    assert released.audit_keys() == [AUDIT]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_release_without_a_result_is_not_written(store, tmp_path, suffix):
    path = release(store, tmp_path, suffix)
    before = path.read_bytes()
    with pytest.raises(BadInput, match=r"out\S* is not written: there are no results"):
        release(Store(tmp_path / "none"), tmp_path, suffix)
    neither = ResultSelection(methods=["m"], attributes=[CELL.attribute])  # each matches, and no cell has both
    with pytest.raises(BadInput, match="none of the 2 results is chosen"):
        release(store, tmp_path, suffix, neither)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["none", "none.parquet", "none.jsonl"])
def test_results_that_do_not_exist_are_an_error(tmp_path, name):
    with pytest.raises(BadInput, match=rf"{name} does not exist"):
        open_results(tmp_path / name)
    assert list(open_results(tmp_path / "none", must_exist=False)) == []
    assert not list(tmp_path.iterdir())


def test_an_interrupted_release_leaves_the_old_files(store, tmp_path, monkeypatch):
    path = release(store, tmp_path, ".jsonl")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    monkeypatch.setattr("relattr.system.atomic.os.fsync", lambda handle: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_release(store, path, ResultSelection(methods=["m"]))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


# ---------------------------------------------------------------------- other programs


def test_json_lines_are_read_by_any_program(store, tmp_path):
    header, *lines = release(store, tmp_path, ".jsonl").read_text(encoding="utf-8").splitlines()
    body = "".join(f"{line}\n" for line in lines).encode()
    assert json.loads(header) == {
        "relattr_release": 1,
        "rows": len(lines),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    (row,) = (row for row in map(json.loads, lines) if row["record"] == "result" and row.get("test") == "test")
    assert [math.nan if v is None else v for v in row["strengths"]] == pytest.approx(STRENGTHS.tolist(), nan_ok=True)
    assert (row["accuracy"], row["method"], row["memory_bytes"]) == ((1 + 0.5) / 3, "größe", 2**53 + 1)


def test_parquet_is_read_by_pandas(store, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.read_parquet(release(store, tmp_path, ".parquet"))
    assert list(frame.columns) == [column.name for column in COLUMNS]
    row = frame[(frame["record"] == "result") & (frame["test"] == "test")].iloc[0]
    np.testing.assert_array_equal(row["strengths"], STRENGTHS)
    of_pairs = frame[(frame["record"] == "test set") & (frame["key"] == row["test_set"])].iloc[0]
    assert list(of_pairs["ordered_images"]) == [2, 0, 4]
    assert json.loads(row["method_parameters"]) == CELL.method_parameters


# ---------------------------------------------------------------------- the data dictionary


def test_rows_have_the_columns_that_the_dictionary_states(store):
    """No row has a value elsewhere, and the example has a value in every column."""
    records = {column.name: column.records for column in COLUMNS}
    assert len(records) == len(COLUMNS)
    used = set()
    for row in rows_of(store):
        for name, value in row.items():
            if value is not None:
                assert row["record"] in records[name], (row["record"], name)
                used.add((name, row["record"]))
    stated = {(column.name, record) for column in COLUMNS for record in column.records}
    assert used == stated


def test_the_dictionary_explains_every_column():
    for column in COLUMNS:
        assert column.meaning, column.name
        assert column.source, column.name
        assert set(column.records) <= set(RECORDS)
        if column.kind in ("number", "numbers"):
            assert column.unit or column.range, column.name
    assert len(dictionary_table().splitlines()) == len(COLUMNS) + 2
