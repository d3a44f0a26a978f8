"""The store of results: a folder with one file per cell, written atomically and validated when read.

``<folder>/<dataset>/<method>/<attribute>-<split>-s<seed>-<key>.json`` is the result of a cell. Beside it, ``.npz`` has
the arrays of the cell, from which every statistic can be computed without training again, and ``.log`` what it printed.
``<folder>/.pairs`` has the pairs of the test sets, and ``<folder>/.audit`` the audits of the datasets.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from relattr.errors import BadInput
from relattr.harness.arrays import NPZ_ERRORS, CellArrays
from relattr.harness.cell import Cell
from relattr.harness.result import ArraysFile, OtherVersion, Result, decode_result, encode_result
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.harness.tested_pairs import TestKey, TestPairs, pairs_from_arrays, pairs_to_arrays
from relattr.system.atomic import remove_leftovers, write_arrays, write_bytes, write_together
from relattr.system.npz import read_npz
from relattr.system.reading import MAX_RESULT, MAX_TABLE, open_regular, read_bytes, read_text, require_regular

if TYPE_CHECKING:
    from filelock import FileLock


_SMALL = 1 << 20
_Version = tuple[int, int, int, int]


class Store(StoredResults):
    """The results in a folder. Iterating yields all of them, ordered by path."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"the results folder {folder} is a file; choose a folder (released files are only read)")
        self.folder = folder
        self._digests: dict[Path, tuple[_Version, str]] = {}
        self._results: dict[Path, tuple[_Version, Result]] = {}

    def path(self, cell: Cell) -> Path:
        """Return the path of the cell's result, whether or not it exists."""
        name = f"{_file_name(cell.attribute)}-{_file_name(cell.split)}-s{cell.seed}-{cell.key}.json"
        return self.folder / f"{_file_name(cell.dataset)}/{_file_name(cell.method)}/{name}"

    def read(self, cell: Cell) -> Result | Unreadable | None:
        """Return the result of a cell, valid or stale; the reason if its file is not valid; None if there is none."""
        return self._read(self.path(cell), cell)

    def write(self, result: Result, arrays: CellArrays | bytes | None = None, log: str = "") -> Path | None:
        """Store a result, its arrays (or the content of their ``.npz`` file) and what the cell printed.

        The result is written last, atomically. A file in its place that is not a result of this cell is renamed, and
        its new path returned; otherwise None is returned. Where others may write to the store, the caller must hold
        the `lock` of the cell.
        """
        path = self.path(result.cell)
        set_aside = self.set_aside(result.cell)
        remove_leftovers(*(path.with_suffix(suffix) for suffix in (".json", ".npz", ".log")))
        npz = arrays.to_npz() if isinstance(arrays, CellArrays) else arrays or b""
        arrays_file = ArraysFile(len(npz), hashlib.sha256(npz).hexdigest()) if npz else None
        files = [(".npz", npz), (".log", log.encode(errors="replace"))]
        for suffix, content in files:
            if not content:
                path.with_suffix(suffix).unlink(missing_ok=True)
        files.append((".json", encode_result(msgspec.structs.replace(result, arrays=arrays_file))))
        write_together([(path.with_suffix(suffix), content) for suffix, content in files if content])
        return set_aside

    def remove(self, result: Result) -> bool:
        """Remove a result, then its arrays and log; return whether it was still there.

        The result goes first: whoever reads the store finds either all of it or no result. The caller must hold the
        `lock` of the cell. Raises OSError if it cannot be removed.
        """
        path = self.path(result.cell)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        for suffix in (".npz", ".log"):
            path.with_suffix(suffix).unlink(missing_ok=True)
        return True

    def set_aside(self, cell: Cell) -> Path | None:
        """If the file of the cell's result is not valid, rename it to ``...bad`` and return its new path.

        Raises OSError, and changes nothing, if the file cannot be read, or only by another version of relattr: it may
        be a valid result of someone else.
        """
        stored = self.read(cell)
        if not isinstance(stored, Unreadable):
            return None
        if stored.inaccessible:
            raise OSError(errno.EACCES, f"{stored.reason}, so it is not replaced", str(stored.path))
        new_path = stored.path.with_name(f"{stored.path.name}.bad")
        k = 2
        while new_path.exists():
            new_path = stored.path.with_name(f"{stored.path.name}.{k}.bad")
            k += 1
        stored.path.replace(new_path)
        return new_path

    def arrays(self, result: Result, *, verify: bool = True) -> CellArrays:
        """Return the arrays of a result; empty if it has none.

        With ``verify`` the whole file is read, and `BadInput` is raised if it is not the file that was written with
        the result. Without, each array is read when it is accessed, and `BadInput` is raised then if that fails;
        `read` has compared the digest of the file before.
        """
        if result.arrays is None:
            return CellArrays()
        path = self.path(result.cell).with_suffix(".npz")
        if not verify:
            return CellArrays.open_npz(path)
        try:
            content = read_bytes(path, MAX_TABLE)
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != result.arrays.sha256:
            raise BadInput(
                f"{path} is not the file that was written with its result; delete the result to compute it again"
            )
        try:
            return CellArrays.from_npz(content)
        except NPZ_ERRORS as error:
            raise BadInput(f"{path} cannot be read as a file of arrays: {error}") from error

    def log(self, cell: Cell) -> str:
        """Return what the cell printed."""
        try:
            return read_text(self.path(cell).with_suffix(".log"), MAX_TABLE, errors="replace")
        except FileNotFoundError:
            return ""

    def lock(self, cell: Cell) -> FileLock:
        """Return the lock that a runner holds while it computes the cell; it is released when the process ends."""
        folder = self.folder / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock

        return FileLock(folder / f"{cell.key}.lock", thread_local=False)

    def is_locked(self, cell: Cell) -> bool:
        """Return whether a runner is computing the cell now, without taking its lock."""
        path = self.folder / ".locks" / f"{cell.key}.lock"
        try:
            import fcntl

            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (OSError, ImportError):
            return False
        return False

    def test_pairs(self, key: TestKey) -> TestPairs | None:
        try:
            return pairs_from_arrays(key, read_npz(self._pairs_path(key)))
        except NPZ_ERRORS:
            return None

    def keep_test_pairs(self, key: TestKey, test_pairs: TestPairs) -> None:
        with contextlib.suppress(OSError):  # the folder may be read-only
            write_arrays(self._pairs_path(key), pairs_to_arrays(key, test_pairs))

    def test_pair_keys(self) -> list[TestKey]:
        return sorted(path.stem for path in (self.folder / ".pairs").glob("*.npz") if not path.name.startswith("."))

    def audit_record(self, key: str) -> bytes | None:
        try:
            return read_bytes(self._audit_path(key), MAX_RESULT)
        except OSError:
            return None

    def keep_audit_record(self, key: str, record: bytes) -> None:
        with contextlib.suppress(OSError):  # the folder may be read-only; the audit is computed again then
            write_bytes(self._audit_path(key), record)

    def audit_keys(self) -> list[str]:
        return sorted(path.stem for path in (self.folder / ".audit").glob("*.json") if not path.name.startswith("."))

    def _pairs_path(self, key: TestKey) -> Path:
        return self.folder / ".pairs" / f"{key}.npz"

    def _audit_path(self, key: str) -> Path:
        return self.folder / ".audit" / f"{key}.json"

    def _size_and_digest(self, path: Path) -> tuple[int, str]:
        """The size of a file and its SHA-256; it is read once for each version. Raises OSError if it cannot be read."""
        status = require_regular(path, MAX_TABLE)
        version = _version(status)
        if path not in self._digests or self._digests[path][0] != version:
            with open_regular(path, MAX_TABLE) as file:
                if status.st_size < _SMALL:  # `file_digest` would take longer to create its buffer
                    digest = hashlib.sha256(file.read(_SMALL)).hexdigest()
                else:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._digests[path] = version, digest
        return status.st_size, self._digests[path][1]

    def _decode(self, path: Path) -> Result:
        """The result in a file, which is read once for each version of it. Raises as `read_bytes` and msgspec."""
        version = _version(require_regular(path, MAX_RESULT))
        if path not in self._results or self._results[path][0] != version:
            self._results[path] = version, decode_result(read_bytes(path, MAX_RESULT))
        return self._results[path][1]

    def __iter__(self) -> Iterator[Result | Unreadable]:
        paths = (path for path in self.folder.glob("*/*/*.json") if not path.parent.name.startswith("."))
        yield from self._read_all(paths)

    def results_of_methods(self, methods: Iterable[str]) -> Iterator[Result | Unreadable]:
        """Yield the results of these methods on all datasets."""
        for method in sorted(methods):
            yield from self._read_all(self.folder.glob(f"*/{_file_name(method)}/*.json"))

    def _read_all(self, paths: Iterable[Path]) -> Iterator[Result | Unreadable]:
        for path in sorted(paths):
            stored = self._read(path, None)
            if stored is not None:
                yield stored

    def _read(self, path: Path, cell: Cell | None) -> Result | Unreadable | None:
        try:
            result = self._decode(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(path, "", error)
        except OtherVersion as error:
            return Unreadable(path, str(error), inaccessible=True)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return Unreadable(path, str(error))
        if cell is not None and result.cell.key != cell.key:
            return Unreadable(path, f"it is the result of another cell, {result.cell}")
        if self.path(result.cell) != path:
            return Unreadable(path, f"its name should be {self.path(result.cell).name}")
        if result.arrays is not None:
            npz = path.with_suffix(".npz")
            try:
                size, digest = self._size_and_digest(npz)
                if size != result.arrays.bytes:
                    return Unreadable(path, f"its {npz.name} has {size:,} bytes, expected {result.arrays.bytes:,}")
                if digest != result.arrays.sha256:
                    return Unreadable(path, f"its {npz.name} does not have the SHA-256 that is stored with the result")
            except OSError as error:
                return _unreadable(path, f"its {npz.name} cannot be read: ", error)
        return result


def _version(status: os.stat_result) -> _Version:
    """What changes when a file is written or replaced."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


_NOT_A_FILE = (errno.EISDIR, errno.EINVAL, errno.EFBIG, errno.ENOENT)
"""Error numbers that say what is in place of a file, and not that it cannot be read."""


def _unreadable(path: Path, prefix: str, error: OSError) -> Unreadable:
    return Unreadable(path, f"{prefix}{error.strerror}", inaccessible=error.errno not in _NOT_A_FILE)


@lru_cache(maxsize=10_000)
def _file_name(text: str) -> str:
    """Return text that is a valid file name on any system. Different texts may coincide; the cell's key does not."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip(".")[:60] or "_"
