"""Where results are kept: a file per cell, written whole, checked when it is read.

``<folder>/<dataset>/<method>/<attribute>-<split>-s<seed>-<key>.json`` holds the row, and beside it
``.npz`` the strengths of the test images (or the margins of the pairs), from which every statistic can
be computed again without training.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from relattr.atomic import write_arrays, write_bytes
from relattr.errors import BadInput
from relattr.harness.cell import Cell
from relattr.harness.result import Result, decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray


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

    def write(self, result: Result, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Keep a result, and the strengths or margins it came from; the row appears last, and whole.

        A file of another cell or version that lies in its place is set aside, with ``.bad`` appended.
        """
        path = self.path(result.cell)
        if isinstance(self.read(result.cell), Unreadable):
            path.replace(path.with_name(path.name + ".bad"))
        if arrays:
            write_arrays(path.with_suffix(".npz"), dict(arrays))
        else:
            path.with_suffix(".npz").unlink(missing_ok=True)
        write_bytes(path, encode(result))

    def __iter__(self) -> Iterator[Result | Unreadable]:
        """Everything in the store, in the order of its paths."""
        for path in sorted(self.folder.glob("*/*/*.json")):
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
        return result


def _slug(text: str) -> str:
    """Text that is safe as a file name on any system; the cell's key keeps names apart."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip(".")[:60] or "_"
