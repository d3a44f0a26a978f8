"""The store: results are read as they were written; invalid files are reported and set aside."""

from __future__ import annotations

import errno
import json
import os
import re

import msgspec
import numpy as np
import pytest

from relattr import __version__
from relattr.errors import BadInput
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Provenance, Result, TestResult, decode_result, encode_result
from relattr.harness.store import Store, Unreadable
from relattr.system.sealed import seal_record

CELL = Cell("m", {"C": 1.0}, "d", {}, "smile", "standard", 3)
PROVENANCE = Provenance(
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
    provenance=PROVENANCE,
    label="M",
    dataset_label="D",
    tests=(TestResult("test", n_images=3, n_pairs=3, n_ordered=2, n_correct=1, n_tied=1),),
)
ARRAYS = CellArrays(strengths={"test": np.array([0.5, np.nan, -1.0])})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_a_result_is_read_as_it_was_written(store):
    store.write(RESULT, ARRAYS, "printed text\n")
    stored = store.read(CELL)
    assert msgspec.structs.replace(stored, arrays=None) == RESULT
    np.testing.assert_array_equal(store.arrays(stored).strengths["test"], ARRAYS.strengths["test"])
    assert store.log(CELL) == "printed text\n"
    assert list(store) == [stored]
    assert list(store.results_of_methods(["m"])) == [stored]
    assert list(store.results_of_methods(["other"])) == []


def test_rewriting_removes_earlier_arrays_and_log(store):
    store.write(RESULT, ARRAYS, "log")
    store.write(RESULT)
    assert store.log(CELL) == ""
    assert not store.arrays(store.read(CELL))
    assert sorted(p.suffix for p in store.path(CELL).parent.iterdir()) == [".json"]


def test_a_missing_result_is_none(store):
    assert store.read(CELL) is None
    assert list(store) == []


def without_digest(content):
    """The file of a result as versions 1 and 2 wrote it."""
    record = json.loads(content)
    del record["sha256"]
    return json.dumps({**record, "version": min(record["version"], 2)}).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b'{"version": 1, "cell"', "truncated"),
        (b"[]", "it is a list, not an object"),
        (b"[" * 20_000, "nested too deeply"),
        (b'{"a":' * 20_000, "nested too deeply"),
        (b'{"version": 3}', "no SHA-256"),
        (b'{"version": 0}', "version is 0, expected 1"),
        (b'{"version": 1}', "missing required field"),
        (without_digest(encode_result(RESULT)).replace(b'"ok"', b'"fine"'), "fine"),
        (without_digest(encode_result(RESULT)).replace(b'"n_correct": 1', b'"n_correct": 7'), "counts do not add up"),
        (without_digest(encode_result(RESULT)).replace(b'"n_tied": 1', b'"n_tied": -1'), "counts do not add up"),
        (without_digest(encode_result(RESULT)).replace(b'"n_images": 3', b'"n_images": -3'), "counts do not add up"),
        (without_digest(encode_result(RESULT)).replace(b'"seed": 3', b'"seed": 4'), "another cell"),
        (encode_result(RESULT).replace(b'"n_correct": 1', b'"n_correct": 0'), "changed or damaged"),
        (encode_result(RESULT).replace(b'"seed": 3', b'"seed": 4'), "changed or damaged"),
    ],
)
def test_an_invalid_file_is_reported_and_set_aside(store, content, reason):
    path = store.path(CELL)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    stored = store.read(CELL)
    assert isinstance(stored, Unreadable)
    assert stored.path == path
    assert reason in stored.reason
    new_path = store.write(RESULT)
    assert new_path is not None
    assert new_path.read_bytes() == content
    assert store.read(CELL) == RESULT
    path.write_bytes(content)  # a second one does not overwrite the first
    assert store.set_aside(CELL) not in (None, new_path)


def test_every_truncation_is_unreadable(store):
    content = encode_result(RESULT)
    store.path(CELL).parent.mkdir(parents=True)
    for n in range(len(content) - 2):
        store.path(CELL).write_bytes(content[:n])
        assert isinstance(store.read(CELL), Unreadable), n


def test_missing_or_different_arrays_are_reported(store):
    store.write(RESULT, ARRAYS)
    path = store.path(CELL).with_suffix(".npz")
    content = bytearray(path.read_bytes())
    result = store.read(CELL)
    content[len(content) // 2] ^= 255
    path.write_bytes(content)  # of the same size
    with pytest.raises(BadInput, match="not the file that was written with its result"):
        store.arrays(result)
    assert "SHA-256" in store.read(CELL).reason
    path.write_bytes(content[:-1])
    assert "bytes, expected" in store.read(CELL).reason
    path.unlink()
    assert "cannot be read" in store.read(CELL).reason


def test_a_wrong_file_name_is_reported(store):
    store.write(RESULT)
    path = store.path(CELL)
    path.rename(path.with_name("other.json"))
    (stored,) = store
    assert "its name should be" in stored.reason


def test_leftovers_of_killed_writers_are_removed(store):
    store.write(RESULT)
    path = store.path(CELL)
    leftover = path.with_name(f".{path.name}.abc123.tmp")
    leftover.write_bytes(b"half")
    store.write(RESULT)
    assert not leftover.exists()


def test_a_lock_is_visible_until_it_is_released(store):
    assert not store.is_locked(CELL)
    with store.lock(CELL):
        assert store.is_locked(CELL)
    assert not store.is_locked(CELL)


def test_any_name_gives_a_valid_path(store):
    cells = [Cell(name, {}, "a/b", {}, "../x", "s", 0) for name in ("a b", "a_b", "..", "ü" * 300, "con?")]
    for cell in cells:
        store.write(msgspec.structs.replace(RESULT, cell=cell))
    assert {r.cell.method for r in store} == {cell.method for cell in cells}
    for path in store.folder.rglob("*.json"):
        assert path.resolve().is_relative_to(store.folder.resolve())


def test_a_results_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(BadInput, match="is a file"):
        Store(tmp_path / "f")


def test_the_key_depends_on_coordinates_and_on_no_order():
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


def test_results_without_newer_fields_are_decoded():
    record = json.loads(encode_result(RESULT))
    for name in ("seconds", "peak_memory_bytes", "warnings", "limits", "attempts", "arrays", "sha256"):
        record.pop(name)
    record["version"] = 2
    assert decode_result(json.dumps(record).encode()) == RESULT


def test_notes_of_version_1_are_deviations():
    """In version 1 every note made a number incomparable."""
    old = without_digest(encode_result(msgspec.structs.replace(RESULT, version=1, notes=("other labels",))))
    for field in (b"task_deviations", b"method_notes", b"deviation"):
        old = re.sub(rb',\s*"' + field + rb'": (\[\]|"")', b"", old)
    assert b"task_deviations" not in old
    result = decode_result(old)
    assert (result.version, result.notes, result.task_deviations) == (VERSION, (), ("other labels",))
    assert decode_result(encode_result(result)) == result


def test_any_changed_value_of_a_result_is_noticed():
    """Every value of a result is covered by its digest, but spaces, line ends and order are not."""
    content = encode_result(RESULT)
    record = json.loads(content)
    assert decode_result(content.replace(b"\n", b"\r\n")) == RESULT
    assert decode_result(json.dumps(dict(reversed(record.items()))).encode()) == RESULT

    def paths(value, path=()):
        if isinstance(value, dict | list) and value:
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from paths(item, (*path, key))
        else:
            yield path

    for *path, last in paths(record):
        changed = json.loads(content)
        holder = changed
        for key in path:
            holder = holder[key]
        holder[last] = 1234 if holder[last] != 1234 else 1235
        with pytest.raises(msgspec.DecodeError, match="changed or damaged"):
            decode_result(json.dumps(changed).encode())


def test_results_without_a_digest_are_read_if_they_are_old():
    """Files of versions 1 and 2 have none; later ones are refused without it."""
    old = without_digest(encode_result(RESULT))
    assert decode_result(old) == RESULT
    with pytest.raises(msgspec.DecodeError, match="no SHA-256"):
        decode_result(old.replace(b'"version": 2', b'"version": 3'))


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to a device", "huge"])
def test_something_else_in_place_of_a_result_is_named(store, kind):
    store.write(RESULT, ARRAYS)
    path = store.path(CELL)
    for place in (path, path.with_suffix(".npz")):
        store.write(RESULT, ARRAYS)
        place.unlink()
        put_in_place(place, kind)
        assert place.name in (stored := store.read(CELL)).reason or stored.path == place
        (listed,) = store
        assert isinstance(listed, Unreadable)
        place.rmdir() if kind == "folder" else place.unlink()


def put_in_place(path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "/dev/tty")


def test_arrays_with_a_huge_header_or_in_lzma_are_named(store):
    """The digest is right here: as if a method had written the file."""
    import io
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    for content in (header.getvalue(), b"\x93NUMPY\x01\x00(", b""):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("strengths test.npy", content)
        store.write(RESULT, packed.getvalue())
        with pytest.raises(BadInput, match=r"\.npz cannot be read as a file of arrays"):
            store.arrays(store.read(CELL))
        damaged = packed.getvalue().replace(header.getvalue()[:4], b"\xff\xff\xff\xff")
        store.write(RESULT, damaged)
        with pytest.raises(BadInput, match=r"\.npz cannot be read as a file of arrays"):
            store.arrays(store.read(CELL), verify=False).strengths["test"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_result_that_cannot_be_read_is_left_as_it_is(store, monkeypatch, number, suffix):
    store.write(RESULT, ARRAYS)
    path = store.path(CELL).with_suffix(suffix)
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    real = os.stat

    def stat(file, *arguments, **options):
        if os.fspath(file) == str(path):
            raise OSError(number, os.strerror(number), str(path))
        return real(file, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    stored = store.read(CELL)
    assert isinstance(stored, Unreadable)
    assert stored.inaccessible
    assert os.strerror(number) in stored.reason
    for replace in (lambda: store.set_aside(CELL), lambda: store.write(RESULT)):
        with pytest.raises(OSError, match="not replaced") as error:
            replace()
        assert error.value.filename == str(store.path(CELL))
    monkeypatch.undo()
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


LATER = {
    "a later format": lambda record: record.update(version=VERSION + 1),
    "another format": lambda record: record.update(version=VERSION + 1, tests="elsewhere"),
    "a member more": lambda record: record.update(colour="red"),
    "a status more": lambda record: record.update(status="paused"),
    "a member less": lambda record: record.pop("provenance"),
}


@pytest.mark.parametrize("kind", LATER)
def test_a_result_of_another_version_is_left_as_it_is(store, kind):
    store.write(RESULT, ARRAYS)
    record = json.loads(store.path(CELL).read_bytes())
    LATER[kind](record)
    store.path(CELL).write_bytes(seal_record(json.dumps(record).encode()))
    before = {file: file.read_bytes() for file in store.path(CELL).parent.iterdir()}
    stored = store.read(CELL)
    assert isinstance(stored, Unreadable)
    assert stored.inaccessible
    assert f"relattr {__version__} reads format versions 1 to {VERSION}: update relattr" in stored.reason
    assert [*store] == [stored]
    for replace in (lambda: store.set_aside(CELL), lambda: store.write(RESULT)):
        with pytest.raises(OSError, match="so it is not replaced"):
            replace()
    assert {file: file.read_bytes() for file in store.path(CELL).parent.iterdir()} == before


def test_an_inaccessible_result_blocks_only_its_own_cell(store, monkeypatch):
    from relattr.harness.staleness import look_up_cell
    from relattr.method import Method
    from relattr.registry import Plugin, Registry

    registry = Registry()
    registry.methods["m"] = Plugin("m", "M", Method, {})
    registry.datasets["d"] = Plugin("d", "D", Method, {})
    monkeypatch.setattr(
        store, "read", lambda cell: Unreadable(store.path(cell), "Permission denied", inaccessible=True)
    )
    state = look_up_cell(CELL, registry, store)
    assert state.state == "inaccessible"
    assert "cannot be read: Permission denied" in state.reason
    from relattr.harness.plan import PlannedCell

    assert not PlannedCell(CELL, state.state, state.reason, {}).must_run
