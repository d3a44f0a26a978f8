"""Comma-separated files with a header, read line by line and without trust."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from relattr.errors import BadInput


@dataclass(frozen=True)
class Layout:
    """Columns that a file must have, and those that it may have."""

    needed: tuple[str, ...]
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.needed, *self.also)

    def __str__(self) -> str:
        return ",".join(self.needed) + "".join(f"[,{name}]" for name in self.also)


@dataclass(frozen=True)
class CsvTable:
    """An open file: its layout, the columns that are there, and its rows, which can be read once.

    A row is the line number and the cells in the order of ``layout.names``, "" for a column that is not there.
    """

    layout: Layout
    present: frozenset[str]
    rows: Iterator[tuple[int, list[str]]]


@contextmanager
def opened(path: Path, layouts: Sequence[Layout]) -> Iterator[CsvTable]:
    """Open a file in the first of these layouts whose needed columns it has; columns in any order.

    Raises `BadInput`, naming file and line, for a file that cannot be read, a header of no layout, a line with
    more or fewer cells than the header, an empty cell in a column that is there, and a file without rows.
    """
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    with file:
        lines = _lines(path, file)
        _, header = next(lines, (0, []))
        if not header:
            raise BadInput(f"{path} is empty; expected the columns {_either(layouts)}")
        layout = _layout(path, header, layouts)
        yield CsvTable(layout, frozenset(header), _rows(path, header, layout, lines))


def number(cell: str, where: str) -> float:
    """The finite number in a cell. Raises `BadInput` for anything else, NaN and infinity included."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{where} is {cell[:80]!r}; expected a finite number")
    return value


def whole(cell: str, where: str) -> int:
    """The number >= 0 in a cell, without a fraction. Raises `BadInput` for anything else."""
    value = number(cell, where)
    if value < 0 or value % 1:
        raise BadInput(f"{where} is {cell[:80]!r}; expected a count: 0, 1, 2, ...")
    return int(value)


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells, outer spaces removed; lines with nothing on them are left out."""
    reader = csv.reader(file, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, [cell.strip() for cell in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BadInput(f"{path}, after line {reader.line_num}: {why}; expected comma-separated UTF-8 text") from error


def _rows(
    path: Path, header: list[str], layout: Layout, lines: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    order = [header.index(name) if name in header else -1 for name in layout.names]
    line, straight = None, order == list(range(len(header)))
    for line, cells in lines:
        if len(cells) != len(header):
            raise BadInput(f"{path}, line {line}: {len(cells)} cells; expected {len(header)}, one for each column")
        if "" in cells:
            raise BadInput(f"{path}, line {line}: {header[cells.index('')]} is empty")
        yield line, cells if straight else [cells[k] if k >= 0 else "" for k in order]
    if line is None:
        raise BadInput(f"{path} has a header and no rows")


def _layout(path: Path, header: list[str], layouts: Sequence[Layout]) -> Layout:
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise BadInput(f"{path}: the column {twice[0]!r} is there twice")
    fits = [layout for layout in layouts if set(layout.needed) <= set(header)]
    if not fits:
        near = max(layouts, key=lambda layout: len(set(layout.needed) & set(header)))
        gone = [name for name in near.needed if name not in header]
        raise BadInput(
            f"{path} has the columns {', '.join(header)[:200]}, and no column {gone[0]!r}; expected {_either(layouts)}"
        )
    strange = [name for name in header if name not in fits[0].names]
    if strange:
        raise BadInput(f"{path} has a column {strange[0]!r}; expected {fits[0]}")
    return fits[0]


def _either(layouts: Sequence[Layout]) -> str:
    return " or ".join(map(str, layouts))
