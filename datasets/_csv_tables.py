"""Read CSV files with a header, as people and spreadsheets write them, validating every line."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from relattr.errors import BadInput
from relattr.system.numbers import parse_float
from relattr.system.reading import MAX_TEXT, open_regular

DELIMITERS = (",", ";", "\t")
MAX_COUNT = 2**31 - 1
_ENCODINGS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""By the byte order mark with which the file starts; the first that matches."""


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

    The text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Columns are separated by commas, semicolons or tabs,
    whichever the header has; a first line ``sep=;`` is skipped. Column names are read without regard to case. Empty
    columns at the end and lines without any value are skipped.

    Raises `BadInput`, naming file and line, for a file that cannot be read, a header that matches no format, a line
    whose number of cells differs from the header's, an empty cell, and a file without rows.
    """
    try:
        binary = open_regular(path, MAX_TEXT)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    with binary:
        file = TextIOWrapper(binary, encoding=_encoding(path, binary.peek(4096)[:4096]), newline="")
        delimiter = _delimiter(path, file, formats)
        lines = _lines(path, file, delimiter)
        _, header = next(lines, (0, []))
        if header and header[0].casefold().startswith("sep=") and not any(header[1:]):
            _, header = next(lines, (0, []))
        header = [unicodedata.normalize("NFC", name).strip().casefold() for name in header]
        while header and not header[-1]:
            header.pop()
        if not header:
            raise BadInput(f"{path} is empty; expected the columns {_alternatives(formats)}")
        columns = _match_format(path, header, formats)
        yield CsvTable(columns, frozenset(header), _rows(path, header, columns, lines))


def parse_number(cell: str, where: str) -> float:
    """Parse a finite number in ASCII digits. Raises `BadInput` for anything else; see `parse_float`."""
    value, problem = parse_float(cell)
    if value is None:
        raise BadInput(f"{where} is {cell[:80]!r}; {problem}")
    return value


def parse_count(cell: str, where: str) -> int:
    """Parse an integer from 0 to `MAX_COUNT`. Raises `BadInput` for anything else."""
    value = parse_number(cell, where)
    if value < 0 or value % 1 or value > MAX_COUNT:
        raise BadInput(f"{where} is {cell[:80]!r}; expected a count: 0, 1, 2, ... (at most {MAX_COUNT:,})")
    return int(value)


def has_control(text: str) -> bool:
    """Whether a text has control characters, line separators or surrogates; other invisible characters are allowed."""
    return not text.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text)


def _encoding(path: Path, start: bytes) -> str:
    for mark, encoding in _ENCODINGS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        raise BadInput(
            f"{path} has zero bytes: it is UTF-16 text without a byte order mark, or not a CSV file; save it as "
            "'CSV UTF-8'"
        )
    return "utf-8"


def _delimiter(path: Path, file: TextIOWrapper, formats: Sequence[CsvColumns]) -> str:
    """The delimiter with which the header has the most known columns. The file is left at its start."""
    try:
        first = file.readline().lstrip('"')
        stated = first.strip().casefold().removeprefix("sep=") if first.casefold().startswith("sep=") else ""
        header = file.readline() if first.casefold().startswith("sep=") else first
    except UnicodeDecodeError:
        raise _not_text(path, file) from None
    file.seek(0)
    if first.rstrip("\r\n").casefold() == "sep=\t":
        return "\t"
    if stated in DELIMITERS:
        return stated
    known = {name for columns in formats for name in columns.names}

    def n_known(delimiter: str) -> int:
        names = {name.strip(" \t\r\n\"'").casefold() for name in header.split(delimiter)}
        return len(known & names)

    return max(DELIMITERS, key=n_known)


def _not_text(path: Path, file: TextIOWrapper) -> BadInput:
    """The error for a file that is not in its encoding, with the line of the first wrong byte."""
    where, byte = str(path), ""
    if file.encoding.startswith("utf-8"):
        with path.open("rb") as binary:
            for number, line in enumerate(binary, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    where, byte = f"{path}, line {number}", f" (byte 0x{line[error.start]:02x})"
                    break
    return BadInput(
        f"{where}: is not UTF-8 text{byte}; expected comma-separated UTF-8 text. If it is from a spreadsheet, save it "
        "as 'CSV UTF-8' (Windows and Latin-1 encodings are not read)"
    )


def _lines(path: Path, file: TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells without surrounding spaces; lines without a value are skipped."""
    reader = csv.reader(file, strict=True, delimiter=delimiter)
    try:
        for cells in reader:
            stripped = [cell.strip(" \t") for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
    except UnicodeDecodeError:
        raise _not_text(path, file) from None
    except csv.Error as error:
        raise BadInput(f"{path}, after line {reader.line_num}: {error}; expected comma-separated UTF-8 text") from error


def _rows(
    path: Path, header: list[str], columns: CsvColumns, lines: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    order = [header.index(name) if name in header else -1 for name in columns.names]
    line, in_order, width = None, order == list(range(len(header))), len(header)
    for line, cells in lines:
        if len(cells) > width and not any(cells[width:]):
            del cells[width:]
        if len(cells) != width:
            cause = "; is there a decimal comma?" if len(cells) == width + 1 and cells[-1].isdecimal() else ""
            raise BadInput(f"{path}, line {line}: {len(cells)} cells; expected {width}, one for each column{cause}")
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
        cause = (
            "; is the first line a row of values? The file needs a header"
            if not any(set(columns.names) & set(header) for columns in formats)
            else ""
        )
        raise BadInput(
            f"{path} has the columns {', '.join(header)[:200]}, and no column {missing[0]!r}; "
            f"expected {_alternatives(formats)}{cause}"
        )
    unknown = [name for name in header if name not in matches[0].names]
    if unknown:
        raise BadInput(f"{path} has an unknown column {unknown[0]!r}; expected {matches[0]}")
    return matches[0]


def _alternatives(formats: Sequence[CsvColumns]) -> str:
    return " or ".join(map(str, formats))
