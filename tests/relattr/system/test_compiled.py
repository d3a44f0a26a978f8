"""Compiled loops import numba when they are called, and load code only from the user's own, undamaged files."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys

import numpy as np
import pytest

from relattr.system import compiled, compiled_cache
from relattr.system.compiled import Kernel, njit, prange
from relattr.system.compiled_cache import private_folder

MODULE = """
from relattr.system.compiled import njit, prange

@njit
def one(x):
    return x + 1.0

@njit(parallel=True, nogil=True)
def total(x):
    s = 0.0
    for k in prange(x.size):
        s += one(x[k])
    return s
"""
USE = """
import sys
import kernels
assert "numba" not in sys.modules
import numpy as np
assert kernels.total(np.arange(4.0)) == 10.0
dispatcher = kernels.total.dispatcher
print(sum(dispatcher.stats.cache_hits.values()), sum(dispatcher.stats.cache_misses.values()))
"""


def use(folder, **environment):
    """Call the loops in a new process; the number of functions loaded from the cache, and of those compiled."""
    (folder / "kernels.py").write_text(MODULE)
    done = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hits, misses = map(int, done.stdout.split())
    return hits, misses


@njit
def add(x, y):
    return x + y


@njit
def add_twice(x, y):
    return add(add(x, y), y)


@njit(parallel=True)
def fill(out):
    for k in prange(out.size):
        out[k] = add(k, 1)


def test_a_loop_is_compiled_at_its_first_call():
    assert isinstance(add_twice, Kernel)
    assert __name__ in compiled.modules_with_kernels
    assert add_twice(1.0, 2.0) == 5.0 == add_twice.py_func(1.0, 2.0)
    out = np.zeros(5)
    fill(out)
    assert out.tolist() == [1, 2, 3, 4, 5]
    assert list(prange(3)) == [0, 1, 2]
    assert add_twice.__name__ == "add_twice"


@pytest.mark.slow
def test_code_is_stored_privately_and_never_loaded_when_changed(tmp_path):
    """Slow: each step is a process that imports numba."""
    shared = tmp_path / "shared"
    environment = {"NUMBA_CACHE_DIR": str(shared)}
    assert use(tmp_path, **environment) == (0, 1)
    assert use(tmp_path, **environment) == (1, 0)
    folder = shared / f"numba-{os.geteuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*.nb*"):  # a pickle that runs a command, as anyone who may write there could leave
        path.write_bytes(pickle.dumps(Runs(tmp_path / "ran")) + path.read_bytes())
    assert use(tmp_path, **environment) == (0, 1)
    assert not (tmp_path / "ran").exists()
    for path in folder.rglob("*.nb*"):
        content = path.read_bytes()
        path.write_bytes(content[:-50] + bytes([content[-50] ^ 1]) + content[-49:])
    assert use(tmp_path, **environment) == (0, 1)
    folder.chmod(0o777)
    assert use(tmp_path, **environment) == (0, 1)  # nothing is read or written there
    assert use(tmp_path, **environment) == (0, 1)


def test_files_that_changed_are_missing_files(tmp_path, monkeypatch):
    """The same in one process, on numba's own object for the files of a function."""
    import numba

    monkeypatch.setattr(compiled_cache, "_code_folder", lambda folder: tmp_path / "code")
    (tmp_path / "code").mkdir()
    dispatcher = numba.njit(lambda x: x + 1)
    compiled_cache.enable_cache(dispatcher)
    files = dispatcher._cache._cache_file
    files.save("key", [1, 2])
    assert files.load("key") == [1, 2]
    paths = sorted((tmp_path / "code").rglob("*.nb*"))
    assert len(paths) == 2
    for path in paths:
        content = path.read_bytes()
        for damaged in (content[:-1], content[:-40] + bytes([content[-40] ^ 1]) + content[-39:], b"", content[:-32]):
            path.write_bytes(damaged)
            assert files.load("key") is None
        path.write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
        assert files.load("key") is None
        path.unlink()
        os.mkfifo(path)
        assert files.load("key") is None
        path.unlink()
        path.write_bytes(content)
        assert files.load("key") == [1, 2]
    assert not (tmp_path / "ran").exists()
    monkeypatch.setattr(compiled_cache.os, "geteuid", lambda: 12345)  # the files of another user
    assert files.load("key") is None


class Runs:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_only_a_folder_of_the_users_own_is_private(tmp_path, monkeypatch):
    folder = private_folder(tmp_path / "cache" / "numba-1")
    assert folder == tmp_path / "cache" / "numba-1"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert private_folder(folder) == folder
    for mode in (0o750, 0o701, 0o777):
        folder.chmod(mode)
        assert private_folder(folder) is None
    folder.chmod(0o700)
    (tmp_path / "link").symlink_to(folder)
    assert private_folder(tmp_path / "link") is None
    (tmp_path / "file").touch(mode=0o600)
    assert private_folder(tmp_path / "file") is None
    assert private_folder(tmp_path / "file" / "below") is None
    monkeypatch.setattr(compiled_cache.os, "geteuid", lambda: 12345)
    assert private_folder(folder) is None


def test_without_a_private_folder_loops_still_run(monkeypatch):
    monkeypatch.setattr(compiled_cache, "_code_folder", lambda folder: None)

    @njit
    def double(x):
        return 2 * x

    assert double(3) == 6
    assert not double.dispatcher.stats.cache_path
