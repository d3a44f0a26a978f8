"""Read comma-separated files with a header, validating every line."""

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
class CsvColumns:
    """The columns of a file format: the required and the optional ones."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)

    def __str__(self) -> str:
        return ",".join(self.required) + "".join(f"[,{name}]" for name in self.optional)


@dataclass(frozen=True)
class CsvTable:
    """An open file: its format, the columns present in its header, and an iterator over its rows.

    A row is the line number and the cells in the order of ``columns.names``; the cell of an absent column is "".
    """

    columns: CsvColumns
    present: frozenset[str]
    rows: Iterator[tuple[int, list[str]]]


@contextmanager
def open_csv(path: Path, formats: Sequence[CsvColumns]) -> Iterator[CsvTable]:
    """Open a file in the first of these formats whose required columns it has, in any order.

    Raises `BadInput`, naming file and line, for a file that cannot be read, a header that matches no format, a line
    whose number of cells differs from the header's, an empty cell, and a file without rows.
    """
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    with file:
        lines = _lines(path, file)
        _, header = next(lines, (0, []))
        if not header:
            raise BadInput(f"{path} is empty; expected the columns {_alternatives(formats)}")
        columns = _match_format(path, header, formats)
        yield CsvTable(columns, frozenset(header), _rows(path, header, columns, lines))


def parse_number(cell: str, where: str) -> float:
    """Parse a finite number. Raises `BadInput` for anything else, NaN and infinity included."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{where} is {cell[:80]!r}; expected a finite number")
    return value


def parse_count(cell: str, where: str) -> int:
    """Parse an integer >= 0. Raises `BadInput` for anything else."""
    value = parse_number(cell, where)
    if value < 0 or value % 1:
        raise BadInput(f"{where} is {cell[:80]!r}; expected a count: 0, 1, 2, ...")
    return int(value)


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells without surrounding spaces; blank lines are skipped."""
    reader = csv.reader(file, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, [cell.strip() for cell in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BadInput(
            f"{path}, after line {reader.line_num}: {reason}; expected comma-separated UTF-8 text"
        ) from error


def _rows(
    path: Path, header: list[str], columns: CsvColumns, lines: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    order = [header.index(name) if name in header else -1 for name in columns.names]
    line, in_order = None, order == list(range(len(header)))
    for line, cells in lines:
        if len(cells) != len(header):
            raise BadInput(f"{path}, line {line}: {len(cells)} cells; expected {len(header)}, one for each column")
        if "" in cells:
            raise BadInput(f"{path}, line {line}: {header[cells.index('')]} is empty")
        yield line, cells if in_order else [cells[k] if k >= 0 else "" for k in order]
    if line is None:
        raise BadInput(f"{path} has a header and no rows")


def _match_format(path: Path, header: list[str], formats: Sequence[CsvColumns]) -> CsvColumns:
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise BadInput(f"{path}: the header has the column {repeated[0]!r} twice")
    matches = [columns for columns in formats if set(columns.required) <= set(header)]
    if not matches:
        closest = max(formats, key=lambda columns: len(set(columns.required) & set(header)))
        missing = [name for name in closest.required if name not in header]
        raise BadInput(
            f"{path} has the columns {', '.join(header)[:200]}, and no column {missing[0]!r}; "
            f"expected {_alternatives(formats)}"
        )
    unknown = [name for name in header if name not in matches[0].names]
    if unknown:
        raise BadInput(f"{path} has an unknown column {unknown[0]!r}; expected {matches[0]}")
    return matches[0]


def _alternatives(formats: Sequence[CsvColumns]) -> str:
    return " or ".join(map(str, formats))
