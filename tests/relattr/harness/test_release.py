"""A released file has everything that is stored with results, exactly, and no other file is taken for one."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle

import msgspec
import numpy as np
import pytest

from relattr.errors import BadInput, UnknownName
from relattr.harness import tested_pairs
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.release import ReleasedResults, open_results, write_release
from relattr.harness.release_columns import COLUMNS, RECORDS, dictionary_table
from relattr.harness.release_file import encode_release
from relattr.harness.release_rows import release_rows
from relattr.harness.result import VERSION, BoxAccuracy, Provenance, Result, TestResult
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Store
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
    store.keep_audit_record("ab12", b'{"leaks": "\xc3\xa9"}')
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
    assert {key: released.audit_record(key) for key in released.audit_keys()} == {"ab12": b'{"leaks": "\xc3\xa9"}'}


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


# ---------------------------------------------------------------------- other files


def error_of(path):
    with pytest.raises(BadInput) as caught:
        open_results(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_truncation_is_refused(store, tmp_path, suffix):
    content = release(store, tmp_path, suffix).read_bytes()
    path = tmp_path / f"cut{suffix}"
    for n in {*range(0, len(content), len(content) // 40), *range(len(content) - 8, len(content))}:
        path.write_bytes(content[:n])
        error_of(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_changed_byte_is_refused_or_changes_nothing(store, tmp_path, suffix):
    """Some bytes of Parquet, such as statistics, are not read."""
    content = release(store, tmp_path, suffix).read_bytes()
    expected = list(store)
    path = tmp_path / f"changed{suffix}"
    for position in np.random.default_rng(0).integers(0, len(content), 40):
        changed = bytearray(content)
        changed[position] ^= 0x15
        path.write_bytes(changed)
        try:
            released = open_results(path)
        except BadInput:
            continue
        assert suffix == ".parquet"
        assert list(released) == expected


def test_a_changed_number_is_refused(store, tmp_path):
    path = release(store, tmp_path, ".jsonl")
    path.write_bytes(path.read_bytes().replace(b'"n_correct":1,', b'"n_correct":2,'))
    assert "SHA-256" in error_of(path)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


FOREIGN = {
    "empty": b"",
    "csv": b"method,accuracy\nm,1\n",
    "json": b'{"a": 1}\n',
    "list": b"[1]\n",
    "nested": b"[" * 100_000,
    "pickle": pickle.dumps(Evil()),
    "zip": b"PK\x03\x04" + bytes(100),
    "parquet's mark": b"PAR1" + bytes(20) + b"\xff\xff\xff\x7fPAR1",
    "binary": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_files_are_refused(tmp_path, monkeypatch, kind, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"other{suffix}"
    path.write_bytes(FOREIGN[kind])
    assert "is not a file that `relattr release` has written" in error_of(path) or suffix == ".parquet"
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_regular_file_is_refused(tmp_path, suffix):
    missing, pipe, huge = (tmp_path / f"{name}{suffix}" for name in ("missing", "pipe", "huge"))
    assert "does not exist" in error_of(missing)
    os.mkfifo(pipe)
    assert "named pipe" in error_of(pipe)
    huge.touch()
    os.truncate(huge, 1 << 42)
    assert "at most" in error_of(huge)
    text = tmp_path / "results.txt"
    text.touch()
    assert "expected a folder of results" in error_of(text)
    with pytest.raises(BadInput, match=r"should end in \.parquet or \.jsonl"):
        write_release(Store(tmp_path), tmp_path / "results.csv", ALL)


def test_newer_formats_and_unknown_columns_are_named(store, tmp_path):
    path = release(store, tmp_path, ".jsonl")
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"relattr_release":1', b'"relattr_release":2', 1))
    assert "its format is 2; this version of relattr reads format 1; update relattr" in error_of(path)
    path.write_bytes(content.replace(b'"record":"result",', b'"record":"result","colour":"red",', 1))
    assert "line 2 is not a row: Object contains unknown field `colour`" in error_of(path)
    path.write_bytes(content.replace(b'"seed":0', b'"seed":"0"', 1))
    assert "Expected `int | null`, got `str`" in error_of(path)


def test_parquet_with_other_columns_is_named(store, tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = release(store, tmp_path, ".parquet")
    table = parquet.read_table(path)
    plain = {"use_dictionary": False, "compression": "zstd"}
    parquet.write_table(table, path, **plain)
    assert list(open_results(path)) == list(store)  # written again by another program
    parquet.write_table(table.append_column("colour", pa.nulls(len(table))), path, **plain)
    assert "its columns are not those of a release: unknown: colour" in error_of(path)
    parquet.write_table(table.drop_columns(["seed"]), path, **plain)
    assert "missing: seed" in error_of(path)
    parquet.write_table(table.set_column(0, "record", pa.nulls(len(table), pa.int8())), path, **plain)
    assert "its column record has the type int8; expected string" in error_of(path)
    parquet.write_table(table.slice(1), path, **plain)
    assert "SHA-256" in error_of(path)
    parquet.write_table(table, path)
    assert "is encoded as" in error_of(path)
    parquet.write_table(pa.table({"a": [1]}), path)
    assert "is not a file that `relattr release` has written" in error_of(path)


HOSTILE = {
    "a second result": (lambda rows: [*rows, rows[0]], "a second result"),
    "a test set twice": (lambda rows: [rows[0], rows[0], *rows[1:]], "the same test set twice"),
    "another key": (lambda rows: [{**rows[0], "key": "0" * 16}], "the key of"),
    "a wrong count": (lambda rows: [{**rows[0], "n_correct": 9}], "counts do not add up"),
    "a newer result": (lambda rows: [{**rows[0], "version": 99}], "the version of the result is 99"),
    "an unknown status": (lambda rows: [{**rows[0], "status": "fine"}], "fine"),
    "parameters that are no JSON": (lambda rows: [{**rows[0], "method_parameters": "{"}], "is not valid"),
    "nested parameters": (lambda rows: [{**rows[0], "method_parameters": "[" * 100_000}], "is not valid"),
    "no parameters": (lambda rows: [{**rows[0], "method_parameters": None}], "is not valid"),
    "an unknown record": (
        lambda rows: [{"record": "shell", "key": "x"}],
        "the shell x is not valid: there is no such record",
    ),
    "no record": (lambda rows: [{"key": "x"}], "the None x is not valid"),
    "a huge shape": (lambda rows: [{**array(rows), "shape": [2**62, 2**62]}], "its shape is"),
    "a negative shape": (lambda rows: [{**array(rows), "shape": [-1]}], "its shape is"),
    "many dimensions": (lambda rows: [{**array(rows), "shape": [1] * 99}], "its shape is"),
    "objects": (lambda rows: [{**array(rows), "dtype": "O"}], "its dtype is 'O'"),
    "wide text": (lambda rows: [{**array(rows), "dtype": "<U999999999"}], "its dtype is"),
    "a label": (lambda rows: [{**pairs(rows), "label": [2, 0, 1]}], "label"),
    "an index": (lambda rows: [{**pairs(rows), "left": [0, 1, 7]}], "number of images"),
    "a huge index": (lambda rows: [{**pairs(rows), "left": [0, 1, 2**40]}], "expected an image index"),
    "a seed": (lambda rows: [{**ordered(rows), "side_seed": "9" * 20}], "side_seed"),
    "no seed": (lambda rows: [{**ordered(rows), "side_seed": "x"}], "side_seed"),
    "names": (lambda rows: [{**ordered(rows), "images": ["a"]}], "1 names of 5 images"),
}


def array(rows):
    return next(row for row in rows if row.get("name") == "exhibit neighbours")


def pairs(rows):
    return next(row for row in rows if row.get("left"))


def ordered(rows):
    return next(row for row in rows if row.get("ordered_by"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_rows_that_are_not_valid_are_refused(store, tmp_path, kind):
    """Their digest is right: as if somebody had written such a file."""
    change, message = HOSTILE[kind]
    path = release(store, tmp_path, ".jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    write_canonical(path, change(rows))
    assert message in error_of(path)


def write_canonical(path, rows):
    """A released file of rows as they are in JSON, which need not be valid."""
    as_arrays = {column.name for column in COLUMNS if column.kind in ("numbers", "integers")}
    converted = [
        {name: np.array(value) if name in as_arrays else value for name, value in row.items() if value is not None}
        for row in rows
    ]
    path.write_bytes(encode_release(converted, path.suffix))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_release_of_an_empty_folder_has_no_results(tmp_path, suffix):
    released = open_results(release(Store(tmp_path / "none"), tmp_path, suffix))
    assert list(released) == []
    assert (released.test_pair_keys(), released.audit_keys()) == ([], [])


def test_an_interrupted_release_leaves_the_old_files(store, tmp_path, monkeypatch):
    path = release(store, tmp_path, ".jsonl")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    monkeypatch.setattr("relattr.system.atomic.os.fsync", lambda handle: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_release(store, path, ResultSelection(methods=["m"]))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


def test_parquet_without_pyarrow_says_what_to_install(store, tmp_path, monkeypatch):
    path = release(store, tmp_path, ".parquet")
    monkeypatch.setattr("relattr.harness.release_file.importlib.util.find_spec", lambda name: None)
    assert "pip install 'relattr[parquet]'" in error_of(path)
    with pytest.raises(BadInput, match=r"relattr\[parquet\]"):
        release(store, tmp_path, ".parquet")
    assert list(open_results(release(store, tmp_path, ".jsonl"))) == list(store)


def test_a_compression_bomb_is_refused_before_it_is_unpacked(store, tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = release(store, tmp_path, ".parquet")
    table = parquet.read_table(path)
    content = io.BytesIO()
    rows = pa.concat_tables([table] * 40)
    parquet.write_table(rows, content, use_dictionary=False, compression="zstd")
    path.write_bytes(content.getvalue())
    limit = len(content.getvalue()) + 1  # what it contains is larger
    monkeypatch.setattr("relattr.harness.release_file.MAX_RELEASE", limit)
    assert "it contains" in error_of(path)
