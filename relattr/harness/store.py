"""Where results are kept: a file per cell, written whole, checked when it is read.

``<folder>/<dataset>/<method>/<attribute>-<split>-s<seed>-<key>.json`` holds the row, and beside it
``.npz`` the strengths of the test images (or the margins of the pairs), from which every statistic can
be computed again without training.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from relattr.errors import BadInput
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.result import Arrays, Result, decode, encode
from relattr.system.atomic import sweep, write_bytes

if TYPE_CHECKING:
    from filelock import FileLock


@dataclass(frozen=True)
class Unreadable:
    """A file in the store that is not a result of this version, and why."""

    path: Path
    why: str


class Store:
    """The results in one folder."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"the results folder {folder} is a file")
        self.folder = folder

    def path(self, cell: Cell) -> Path:
        """Where the result of this cell is, or would be."""
        place = self.folder / _slug(cell.dataset) / _slug(cell.method)
        return place / f"{_slug(cell.attribute)}-{_slug(cell.split)}-s{cell.seed}-{cell.key}.json"

    def read(self, cell: Cell) -> Result | Unreadable | None:
        """The result of this cell, valid or stale; what is wrong with its file; None if there is none."""
        return self._read(self.path(cell), cell)

    def write(self, result: Result, arrays: CellArrays | bytes | None = None, log: str = "") -> Path | None:
        """Keep a result, what it printed, and the strengths or margins it came from (or their ``.npz`` content).

        The row appears last, and whole. What lies in its place and is not this cell's result is set aside;
        returned is where to, None if there was nothing. Needs the cell's `lock` where others may write too.
        """
        path = self.path(result.cell)
        aside = self.set_aside(result.cell)
        for suffix in (".json", ".npz", ".log"):
            sweep(path.with_suffix(suffix))
        content = arrays.to_npz() if isinstance(arrays, CellArrays) else arrays or b""
        about = Arrays(len(content), hashlib.sha256(content).hexdigest()) if content else None
        for name, text in ((".npz", content), (".log", log.encode(errors="replace"))):
            if text:
                write_bytes(path.with_suffix(name), text)
            else:
                path.with_suffix(name).unlink(missing_ok=True)
        write_bytes(path, encode(msgspec.structs.replace(result, arrays=about)))
        return aside

    def set_aside(self, cell: Cell) -> Path | None:
        """Rename what lies in the place of this cell's result and is none, to ``...bad``; where it is now."""
        found = self.read(cell)
        if not isinstance(found, Unreadable):
            return None
        aside = found.path.with_name(found.path.name + ".bad")
        k = 2
        while aside.exists():
            aside = found.path.with_name(f"{found.path.name}.{k}.bad")
            k += 1
        found.path.replace(aside)
        return aside

    def arrays(self, result: Result, *, verify: bool = True) -> CellArrays:
        """Return the arrays of a result; empty if it has none.

        With ``verify`` the whole file is read, and `BadInput` is raised if it is not the file that was written with
        the result. Without, each array is read when it is accessed, and `BadInput` is raised then if that fails.
        """
        if result.arrays is None:
            return CellArrays()
        path = self.path(result.cell).with_suffix(".npz")
        if not verify:
            return CellArrays.open_npz(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != result.arrays.sha256:
            raise BadInput(f"{path} is not the file that was written with its row; delete the row to compute it again")
        return CellArrays.from_npz(content)

    def log(self, cell: Cell) -> str:
        """What the cell printed; empty where it printed nothing."""
        try:
            return self.path(cell).with_suffix(".log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def lock(self, cell: Cell) -> FileLock:
        """A lock that one runner holds while it computes the cell; the kernel releases it with the process."""
        folder = self.folder / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock

        return FileLock(folder / f"{cell.key}.lock", thread_local=False)

    def is_locked(self, cell: Cell) -> bool:
        """Whether a runner computes the cell now. Looks without taking the lock from anyone who wants it."""
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

    def __iter__(self) -> Iterator[Result | Unreadable]:
        """Everything in the store, in the order of its paths."""
        for path in sorted(p for p in self.folder.glob("*/*/*.json") if not p.parent.name.startswith(".")):
            found = self._read(path, None)
            if found is not None:
                yield found

    def of_methods(self, names: Iterable[str]) -> Iterator[Result | Unreadable]:
        """What the store has of these methods, on whatever dataset."""
        for name in sorted(names):
            for path in sorted(self.folder.glob(f"*/{_slug(name)}/*.json")):
                found = self._read(path, None)
                if found is not None:
                    yield found

    def _read(self, path: Path, cell: Cell | None) -> Result | Unreadable | None:
        try:
            result = decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            return Unreadable(path, str(error.strerror))
        except (msgspec.DecodeError, ValueError) as error:
            return Unreadable(path, str(error))
        if cell is not None and result.cell != cell:
            return Unreadable(path, f"it is the result of another cell, {result.cell}")
        if self.path(result.cell) != path:
            return Unreadable(path, f"its name should be {self.path(result.cell).name}")
        if result.arrays is not None:  # the whole content is checked when it is read
            beside = path.with_suffix(".npz")
            try:
                length = beside.stat().st_size
            except OSError as error:
                return Unreadable(path, f"its {beside.name} cannot be read: {error.strerror}")
            if length != result.arrays.bytes:
                return Unreadable(path, f"its {beside.name} has {length:,} bytes, expected {result.arrays.bytes:,}")
        return result


def _slug(text: str) -> str:
    """Text that is safe as a file name on any system; the cell's key keeps names apart."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip(".")[:60] or "_"
