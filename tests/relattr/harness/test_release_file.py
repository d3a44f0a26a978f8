"""Only a complete file that `relattr release` has written is read; any other is refused, with the reason."""

from __future__ import annotations

import io
import json
import os
import pickle

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.harness import tested_pairs
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.release import open_results, write_release
from relattr.harness.release_columns import COLUMNS
from relattr.harness.release_file import encode_release
from relattr.harness.result import VERSION, Provenance, Result, TestResult
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Store
from relattr.pairs import Pairs

SUFFIXES = [".parquet", ".jsonl"]
RESULT = Result(
    version=VERSION,
    cell=Cell("m", {"C": 1.0}, "d", {}, "a", "standard", 0),
    status="ok",
    fingerprints={"data": "x"},
    provenance=Provenance(
        "c0ffee", False, "relattr run", "3.11", {}, "Linux", "", 1, 2**30, "cpu", "2026-01-01T00:00:00+00:00"
    ),
    label="M",
    dataset_label="D",
    tests=(TestResult("test", 5, 4, 3, 1, 1), TestResult("second", 3, 3, 3, 0, 0)),
)


@pytest.fixture
def store(tmp_path):
    """One result with strengths, another array, and pairs of both kinds: ordered and listed."""
    store = Store(tmp_path / "results")
    arrays = CellArrays(strengths={"test": np.arange(5.0)}, artifacts={"neighbours": np.arange(6).reshape(2, 3)})
    store.write(RESULT, arrays, "printed\n")
    ordered = Pairs.all_of([0.5, 0.25, 0.5], items=[2, 0, 4], seed=7)
    store.keep_test_pairs(
        tested_pairs.test_key(RESULT, "test"), tested_pairs.TestPairs(ordered, np.arange(5), list("abcde"))
    )
    listed = Pairs([0, 1, 2], [1, 2, 0], [1, 0, -1])
    store.keep_test_pairs(tested_pairs.test_key(RESULT, "second"), tested_pairs.TestPairs(listed, np.array([2, 1, 0])))
    return store


def release(store, folder, suffix):
    return write_release(store, folder / f"out{suffix}", ResultSelection()).file


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
        write_release(Store(tmp_path), tmp_path / "results.csv", ResultSelection())


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
