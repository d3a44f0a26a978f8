"""A file is either complete or unchanged after any failure."""

from __future__ import annotations

import os
import re
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.system.atomic import (
    atomic_replace,
    read_array,
    remove_leftovers,
    require_writable,
    write_array,
    write_arrays,
    write_bytes,
    write_text,
    write_together,
)


def test_written_files_are_read_back(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "é\n\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "é\n\n".encode()
    write_bytes(tmp_path / "a" / "b.txt", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\x00\xff"
    write_arrays(tmp_path / "c.npz", {"x y": np.arange(3), "z_": np.array("text")})
    with np.load(tmp_path / "c.npz", allow_pickle=False) as arrays:
        assert arrays["x y"].tolist() == [0, 1, 2]
        assert arrays["z_"].item() == "text"
    write_array(tmp_path / "d.npy", np.eye(2))
    np.testing.assert_array_equal(read_array(tmp_path / "d.npy"), np.eye(2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "c.npz", "d.npy"]


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failure_preserves_the_old_file(tmp_path, error):
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(type(error)):
        _write_half(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path, error):
    with atomic_replace(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failure_creates_no_file(tmp_path):
    with pytest.raises(ValueError, match="pickle"):
        write_array(tmp_path / "f.npy", np.array([object()]))
    assert list(tmp_path.iterdir()) == []


def test_requiring_a_writable_path_leaves_nothing(tmp_path):
    (tmp_path / "old").write_text("old")
    for path in (tmp_path / "old", tmp_path / "new", tmp_path / "a" / "b" / "new"):
        require_writable(path)
        assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    long = "x" * 300
    for path, reason in (
        (tmp_path, f"{tmp_path} is a folder; expected a file"),
        (tmp_path / "file" / "f", f"{tmp_path}/file/f cannot be written: Not a directory"),
        (tmp_path / "a" / long / "f", f"/f cannot be written: {tmp_path}/a/{long}: File name too long"),
    ):
        with pytest.raises(BadInput, match=re.escape(reason)):
            require_writable(path)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc exists on Linux only")
@pytest.mark.parametrize("path", ["/proc/f", "/proc/nope/f"])
def test_a_folder_that_takes_no_file_is_an_error(path):
    with pytest.raises(BadInput, match=f"^{path} cannot be written"):
        require_writable(Path(path))
    with pytest.raises(OSError, match="/proc"):
        write_text(Path(path), "")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="Permission denied"):
        require_writable(tmp_path / "f")
    tmp_path.chmod(0o700)


def test_until_the_block_ends_readers_see_the_old_file(tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    with atomic_replace(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"


def test_the_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_text("")
    write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_concurrent_writers_leave_one_complete_file(tmp_path):
    texts = [str(k) * 100_000 for k in range(4)]
    threads = [threading.Thread(target=write_text, args=(tmp_path / "f", text)) for text in texts * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "f").read_text() in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_files_of_killed_writers_are_removed(tmp_path):
    code = (
        "import os, signal, sys, pathlib\n"
        "from relattr.system.atomic import atomic_replace\n"
        "with atomic_replace(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path, other = tmp_path / "f[1].npy", tmp_path / "f[1].npy2"
    for target in (path, other):
        assert subprocess.run([sys.executable, "-c", code, str(target)], check=False).returncode == -signal.SIGKILL
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(path)
    assert [p.name.startswith(".f[1].npy2.") for p in tmp_path.iterdir()] == [True]


def damaged_files():
    whole = tuple(np.lib.format.magic(1, 0))
    yield "empty", b""
    yield "no array", b"hello, world"
    yield "zip", b"PK\x03\x04 not a zip"
    yield "header only", bytes(whole) + b"\x10"
    yield "bad header", np.lib.format.magic(1, 0) + b"\x04\x00{]}\n"


@pytest.mark.parametrize(("name", "content"), list(damaged_files()))
@pytest.mark.parametrize("mode", [None, "r", "r+"])
def test_a_damaged_array_is_read_as_none(tmp_path, name, content, mode):
    (tmp_path / "f.npy").write_bytes(content)
    assert read_array(tmp_path / "f.npy", mode) is None
    assert read_array(tmp_path / "missing.npy", mode) is None


@pytest.mark.parametrize("mode", [None, "r", "r+"])
def test_a_truncated_array_is_read_as_none(tmp_path, mode):
    write_array(tmp_path / "f.npy", np.arange(1000))
    os.truncate(tmp_path / "f.npy", 5000)
    assert read_array(tmp_path / "f.npy", mode) is None


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "f.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert read_array(tmp_path / "f.npy") is None


@pytest.fixture
def full_disk():
    """No file of this process can grow beyond a few bytes, which the system reports as it does a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("n_bytes", [9, 5_000, 3_000_000])
@pytest.mark.parametrize(
    "write",
    [
        lambda path, content: write_bytes(path, content),
        lambda path, content: write_text(path, content.decode()),
        lambda path, content: write_together([(path, content), (path.with_suffix(".log"), content)]),
        lambda path, content: write_together([(path.with_suffix(".log"), b"short"), (path, content)]),
        lambda path, content: write_arrays(path, {"x": np.frombuffer(content, np.uint8)}),
        lambda path, content: write_array(path, np.frombuffer(content, np.uint8)),
    ],
    ids=["bytes", "text", "first of two", "second of two", "arrays", "array"],
)
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_an_error_about_the_file(tmp_path, write, n_bytes):
    path = tmp_path / "results" / "file.npz"
    with pytest.raises(OSError, match=re.escape(str(path))) as caught:
        write(path, b"x" * n_bytes)
    assert caught.value.filename == str(path)
    assert not list(path.parent.iterdir())
