"""The compiled code of numba on disk, in a folder that belongs to the user alone.

Numba stores compiled code and its index as pickles, so loading them executes what is in the files. They are therefore
read only from ``numba-<user id>`` in RELATTR_CACHE (or in NUMBA_CACHE_DIR, if that is set), which must be a folder of
this user that no other user may enter (mode 0700), only from files that this user owns, and only with the SHA-256 that
was stored with them. They are the only pickles that relattr reads. Without such a folder, loops are compiled in each
process.

The folder has one part for each version of numba, relattr and Python, and each processor.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import sys
from functools import cache
from pathlib import Path
from typing import Any

from relattr.system.paths import cache_dir
from relattr.system.reading import MAX_RESULT, open_regular

_DIGEST_SIZE = 32
_NEEDED = ("_load_index", "_save_index", "_load_data", "_save_data", "_data_path", "_index_path", "_open_for_write")


def enable_cache(dispatcher: Any) -> None:
    """Let a function of `numba.njit` store its compiled code; has no effect without a private folder."""
    folder = _code_folder(Path(os.environ.get("NUMBA_CACHE_DIR") or cache_dir()))
    if folder is None or not hasattr(dispatcher, "enable_caching"):
        return
    from numba.core import config

    settings: Any = config
    previous = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)  # read while the cache of the function is created
    try:
        dispatcher.enable_caching()
        stored = dispatcher._cache
        if not Path(stored.cache_path).is_relative_to(folder):
            raise RuntimeError("numba chose another folder")
        _verify_files(stored)
    except Exception:  # of numba's internals, which may change: without a cache, everything still works
        from numba.core.caching import NullCache

        dispatcher._cache = NullCache()
    finally:
        settings.CACHE_DIR = previous


def private_folder(folder: Path) -> Path | None:
    """Create a folder that only this user may enter, and return it; None if that is not what it is afterwards."""
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        is_private = not hasattr(os, "getuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
        if stat.S_ISDIR(status.st_mode) and is_private and os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return folder
    return None


@cache
def _code_folder(cache_folder: Path) -> Path | None:
    import llvmlite.binding
    import numba

    from relattr import __version__

    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    folder = private_folder(cache_folder / f"numba-{user}")
    if folder is None:
        return None
    python = f"{sys.implementation.cache_tag}"
    return folder / f"numba-{numba.__version__}-relattr-{__version__}-{python}-{llvmlite.binding.get_host_cpu_name()}"


def _verify_files(stored: Any) -> None:
    """Make numba's cache of one function compare digests and owners, and treat damaged files as missing."""
    files = stored._cache_file
    if not all(hasattr(files, name) for name in _NEEDED):
        raise RuntimeError("this version of numba has another cache")

    class CheckedFiles(type(files)):  # type: ignore[misc]
        """Numba's files, with a SHA-256 at their end."""

        def _load_index(self) -> dict[Any, str]:
            content = _read_own_file(self._index_path)
            if content is None:
                return {}
            version, stamp, overloads = pickle.loads(content)  # noqa: S301 - written by this user, with its digest
            return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

        def _save_index(self, overloads: dict[Any, str]) -> None:
            self._write(self._index_path, self._dump((self._version, self._source_stamp, overloads)))

        def _load_data(self, name: str) -> Any:
            content = _read_own_file(self._data_path(name))
            if content is None:
                raise OSError(f"{name} is missing or damaged")  # numba compiles again
            return pickle.loads(content)  # noqa: S301 - written by this user, with its digest

        def _save_data(self, name: str, data: Any) -> None:
            self._write(self._data_path(name), self._dump(data))

        def _write(self, path: str, content: bytes) -> None:
            with self._open_for_write(path) as file:
                file.write(content + hashlib.sha256(content).digest())

        def save(self, key: Any, data: Any) -> None:
            with contextlib.suppress(OSError):  # a full disk costs only the next compilation
                super().save(key, data)

    files.__class__ = CheckedFiles


def _read_own_file(path: str) -> bytes | None:
    """The content of a file of this user without its digest; None if it is missing, another user's, or damaged."""
    with contextlib.suppress(OSError), open_regular(Path(path), MAX_RESULT) as file:
        if hasattr(os, "geteuid") and os.fstat(file.fileno()).st_uid != os.geteuid():
            return None
        content = file.read()
        if hashlib.sha256(content[:-_DIGEST_SIZE]).digest() == content[-_DIGEST_SIZE:]:
            return content[:-_DIGEST_SIZE]
    return None
