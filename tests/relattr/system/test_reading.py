"""Only regular files of a sensible size are read; anything else is an error that names it, at once."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from relattr.system.cached import read_cached, write_cached
from relattr.system.digests import digest_file, digest_files
from relattr.system.reading import open_regular, read_bytes, read_json, read_text, require_regular
from relattr.system.sealed import open_sealed, seal_record


@pytest.fixture(params=["pipe", "folder", "zero", "full", "socket", "loop", "missing", "huge", "long name", "null"])
def not_a_file(request, tmp_path):
    path = tmp_path / "it"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param in ("zero", "full"):
        path.symlink_to(f"/dev/{request.param}")
    elif request.param == "loop":
        path.symlink_to(path)
    elif request.param == "huge":
        path.touch()
        os.truncate(path, 1 << 40)
    elif request.param == "socket":
        request.getfixturevalue("monkeypatch").chdir(tmp_path)  # the name of a socket has 108 characters at most
        server = socket.socket(socket.AF_UNIX)
        server.bind("it")
        server.close()
    elif request.param == "long name":
        path = tmp_path / ("x" * 5000)
    elif request.param == "null":
        path = tmp_path / "a\0b"
    return path


def test_what_is_no_file_is_an_error_that_names_it(not_a_file):
    for read in (require_regular, open_regular, read_bytes, read_text, read_json):
        with pytest.raises(OSError) as raised:  # noqa: PT011 - of many numbers
            read(not_a_file)
        assert raised.value.filename == os.fspath(not_a_file)
        assert raised.value.strerror
    assert read_cached(not_a_file) is None
    with pytest.raises(ValueError, match="cannot read"):
        digest_file(not_a_file)
    with pytest.raises(ValueError, match="cannot read"):
        digest_files(not_a_file.parent, [not_a_file.name])


def test_a_file_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"a\r\nb\rc\n")
    assert read_bytes(path, 7) == b"a\r\nb\rc\n"
    assert read_text(path) == "a\nb\nc\n"
    with pytest.raises(OSError, match="has 7 bytes; at most 6 are read") as raised:
        read_bytes(path, 6)
    assert raised.value.errno == errno.EFBIG
    (tmp_path / "link").symlink_to(path)
    assert read_bytes(tmp_path / "link") == path.read_bytes()


def test_deeply_nested_json_is_an_ordinary_error(tmp_path):
    for content in ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000):
        (tmp_path / "f").write_text(content)
        with pytest.raises(ValueError, match=r"nested too deeply|Expecting"):
            read_json(tmp_path / "f")
        with pytest.raises(ValueError, match="nested too deeply"):
            open_sealed(content.encode())


def test_a_cached_value_is_read_unless_anything_changed(tmp_path):
    path = tmp_path / "folder" / "f.json"
    write_cached(path, b'{"a": [1, "\xc3\xa9"]}')
    assert read_cached(path) == b'{"a": [1, "\xc3\xa9"]}'
    content = path.read_bytes()
    for k in range(len(content)):
        path.write_bytes(content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :])
        assert read_cached(path) is None, k
        path.write_bytes(content[:k])
        assert read_cached(path) is None, k
    path.with_name("other.json").write_bytes(content)
    assert read_cached(path.with_name("other.json")) is None  # the name is part of the digest
    path.write_bytes(content)
    assert read_cached(path) is not None


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "file").touch()
    write_cached(tmp_path / "file" / "f.json", b"1")
    assert read_cached(tmp_path / "file" / "f.json") is None


def test_a_sealed_record_survives_layout_but_no_change():
    sealed = seal_record(b'{"b": 1.0, "a": {"y": 1, "x": null}}')
    assert open_sealed(sealed) == ({"b": 1.0, "a": {"y": 1, "x": None}}, True)
    assert open_sealed(sealed.replace(b"\n", b"\r\n  "))[1]
    assert seal_record(sealed) == sealed
    assert open_sealed(b'{"b": 1}') == ({"b": 1}, False)
    for before, after in ((b"1.0", b"1.5"), (b'"b"', b'"c"'), (b"null", b"0"), (b'"x": null', b'"x": null, "z": 1')):
        with pytest.raises(ValueError, match="changed or damaged"):
            open_sealed(sealed.replace(before, after))
