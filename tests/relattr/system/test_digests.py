"""Digests change exactly when the data changes."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.system import digests
from relattr.system.digests import digest_array, digest_file, digest_files, digest_text


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(name.encode() * 100)
    return root


def age(root, seconds=3600):
    """Set the times of the files back; only digests of old files are cached."""
    for path in root.iterdir():
        os.utime(path, (path.stat().st_atime - seconds, path.stat().st_mtime - seconds))


def counted(monkeypatch):
    """Record the files that are read."""
    read = []
    original = digests.digest_file
    monkeypatch.setattr(
        digests, "digest_file", lambda path, *limits: (read.append(path.name), original(path, *limits))[1]
    )
    return read


def test_a_file_has_its_sha256(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "f").write_bytes(content)
    assert digest_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_digests_depend_on_the_limits_of_texts():
    texts = [(), ("",), ("", ""), ("ab",), ("a", "b"), ("", "ab"), ("1:a",), ("1", "a")]
    assert len({digest_text(*t) for t in texts}) == len(texts)


def test_digests_depend_on_type_and_shape():
    base = np.arange(4, dtype=np.int32)
    arrays = [
        base,
        base.astype(np.int64),
        base.view(np.float32),
        base.reshape(2, 2),
        base.reshape(4, 1),
        base[::-1],
        base[:3],
    ]
    assert len({digest_array(a) for a in arrays}) == len(arrays)
    assert digest_array(np.arange(8, dtype=np.int32)[::2]) == digest_array(np.array([0, 2, 4, 6], np.int32))


def test_the_same_files_have_the_same_digest_in_any_folder(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert digest_files(folder, ["a", "b"]) == digest_files(tmp_path / "elsewhere", ["a", "b"])


def test_digests_depend_on_names_contents_and_order(folder):
    (folder / "c").write_bytes(b"a" * 100)
    values = [digest_files(folder, names) for names in (["a"], ["b"], ["c"], ["a", "b"], ["b", "a"], [])]
    assert len(set(values)) == len(values)


def test_digests_of_old_files_are_cached(folder, monkeypatch):
    monkeypatch.setattr(digests, "_MIN_AGE", -1.0)
    read = counted(monkeypatch)
    first = digest_files(folder, ["a", "b"])
    assert sorted(read) == ["a", "b"]
    assert digest_files(folder, ["a", "b"]) == first
    assert len(read) == 2


def test_digests_of_new_files_are_not_cached(folder, monkeypatch):
    """A second write within the resolution of timestamps would be missed."""
    read = counted(monkeypatch)
    digest_files(folder, ["a"])
    digest_files(folder, ["a"])
    assert read == ["a", "a"]


def test_a_change_with_the_same_size_and_mtime_is_noticed(folder, monkeypatch):
    monkeypatch.setattr(digests, "_MIN_AGE", -1.0)
    age(folder)
    before = digest_files(folder, ["a", "b"])
    times = (folder / "a").stat()
    (folder / "a").write_bytes(b"x" * 100)
    os.utime(folder / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest_files(folder, ["a", "b"]) != before


@pytest.mark.parametrize("content", ["", "[]", "{", '{"sha256": 5}', '{"sha256": "short"}'])
def test_a_damaged_cache_entry_is_written_again(folder, cache, monkeypatch, content):
    monkeypatch.setattr(digests, "_MIN_AGE", -1.0)
    before = digest_files(folder, ["a"])
    (known,) = (cache / "digests").iterdir()
    whole = known.read_text()
    known.write_text(content)
    assert digest_files(folder, ["a"]) == before
    assert known.read_text() == whole


def test_a_missing_file_is_named(folder):
    with pytest.raises(BadInput, match=r"data/z: No such file"):
        digest_files(folder, ["a", "z"])
    with pytest.raises(BadInput, match="data/z"):
        digest_file(folder / "z")


def test_each_order_of_files_has_another_digest(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(b"same")
    values = {digest_files(tmp_path, names) for names in itertools.permutations("abc")}
    assert len(values) == 6
