"""The published numbers, read from ``paper_tables/published.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from relattr.errors import BadInput
from relattr.harness.benchmark import ColumnSpec
from relattr.system.numbers import parse_float
from relattr.system.paths import package_folder
from relattr.system.reading import MAX_TEXT, open_regular

HEADER = [
    "source",
    "table",
    "row",
    "column",
    "attribute",
    "accuracy_percent",
    "std",
    "reliability",
    "protocol",
    "constant",
    "row_as_printed",
    "source_url",
]
RELIABILITY = {
    "V": "verified: read in the authors' code or data, or computed from them",
    "S": "stated in the paper that this suite implements",
    "P": "read in the paper that published it, or in a paper that reprints it",
}
"""The codes in the column ``reliability``; ``source_url`` is the address where the number was read."""


@dataclass(frozen=True)
class PublishedNumber:
    """One published accuracy, in per cent.

    ``attribute`` is empty for a mean over attributes, ``table`` for a row that is in none of the paper's tables.
    ``accuracy`` is None where a dash is printed. ``constant`` rows cannot be measured and are only quoted.
    """

    source: str
    table: str
    row: str
    column: str
    attribute: str
    accuracy: float | None
    std: float | None
    reliability: str
    protocol: str
    constant: bool
    row_as_printed: str
    source_url: str


@dataclass(frozen=True)
class PublishedMean:
    """The mean of numbers published for some attributes of a column, in per cent."""

    accuracy: float
    reliability: str
    """That of the least reliable number."""


@dataclass(frozen=True)
class PublishedRow:
    """A published row with numbers for single attributes; the mean is under the empty attribute."""

    label: str
    notes: tuple[str, ...]
    """Source and protocol of its numbers."""
    numbers: Mapping[str, PublishedNumber]


@cache
def published_numbers() -> tuple[PublishedNumber, ...]:
    """Return all published numbers, in the order of the file; raises as `read_published` does."""
    return read_published(package_folder("relattr.paper_tables") / "published.csv")


@cache
def _index() -> dict[tuple[str, str, str, str], PublishedNumber]:
    return {(n.table, n.row, n.column, n.attribute): n for n in published_numbers() if n.table}


def published_number(table: str, row: str, column: str, attribute: str = "") -> PublishedNumber | None:
    """Return the number at this position of one of the paper's tables, or None."""
    return _index().get((table, row, column, attribute))


@cache
def is_published_constant(table: str, row: str) -> bool:
    """Return whether a row of the paper's table is a constant, which cannot be measured."""
    return any(number.constant for (t, r, _, _), number in _index().items() if (t, r) == (table, row))


@cache
def is_published_by_attribute(table: str, column: str) -> bool:
    """Return whether the paper publishes the attributes of this column one by one."""
    return any(attribute for (t, _, c, attribute) in _index() if (t, c) == (table, column))


def published_in_column(
    table: str, row: str, column: ColumnSpec, attribute: str | None = None
) -> PublishedNumber | None:
    """Return the number of a row in a column of a benchmark, or of one attribute of it, or None.

    A published mean over attributes is not the number of a column that shows one of them.
    """
    name = column.published or column.label
    wanted = attribute or ("" if column.attribute == "*" else column.attribute)
    number = published_number(table, row, name, wanted)
    if number is None and attribute is None and not is_published_by_attribute(table, name):
        number = published_number(table, row, name)
    return number


def published_mean(table: str, row: str, column: ColumnSpec, attributes: Sequence[str]) -> PublishedMean | None:
    """Return the mean over these attributes of a column of a benchmark; None if they are not all published."""
    numbers = [published_number(table, row, column.published or column.label, attribute) for attribute in attributes]
    known = [(n.accuracy, n.reliability) for n in numbers if n is not None and n.accuracy is not None]
    if not numbers or len(known) < len(numbers):
        return None
    mean = sum(accuracy for accuracy, _ in known) / len(known)
    return PublishedMean(mean, max((reliability for _, reliability in known), key=list(RELIABILITY).index))


def published_rows(column: str, attributes: Iterable[str]) -> list[PublishedRow]:
    """Return the published rows that have this column attribute by attribute, those of the paper's tables first."""
    wanted = {*attributes, ""}
    rows: dict[tuple[str, str], dict[str, PublishedNumber]] = {}
    for number in sorted((n for n in published_numbers() if n.column == column), key=lambda n: not n.table):
        if number.attribute in wanted:
            # the mean of a row of the paper's tables is from the paper, its attributes are from other sources
            rows.setdefault((number.row, "" if number.table else number.source), {})[number.attribute] = number
    published = []
    for (label, _), numbers in rows.items():
        by_attribute = [number for attribute, number in numbers.items() if attribute]
        if by_attribute:
            note = f"{by_attribute[0].source}: {by_attribute[0].protocol}"
            published.append(PublishedRow(label, (note,), numbers))
    return published


def read_published(path: Path) -> tuple[PublishedNumber, ...]:
    """Read a file of published numbers.

    Raises `BadInput` with the line of a value that is not valid, or of a number that is given twice.
    """
    numbers = []
    positions = set()
    with io.TextIOWrapper(open_regular(path, MAX_TEXT), newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != HEADER:
            raise BadInput(f"{path} has columns {reader.fieldnames}; expected {HEADER}")
        for line in reader:
            where = f"{path}, line {reader.line_num}"
            accuracy, std = (_percentage(line[name], where) for name in ("accuracy_percent", "std"))
            if line["reliability"] not in RELIABILITY:
                raise BadInput(f"{where}: reliability is {line['reliability']!r}; expected {', '.join(RELIABILITY)}")
            if line["constant"] not in ("yes", "no"):
                raise BadInput(f"{where}: constant is {line['constant']!r}; expected yes or no")
            if not line["source_url"].startswith("https://"):
                raise BadInput(f"{where}: source_url is {line['source_url']!r}; expected an https address")
            position = line["table"], line["row"], line["column"], line["attribute"]
            unique = position if line["table"] else (line["source"], *position)
            if unique in positions:
                raise BadInput(f"{where}: {' / '.join(position)} is given twice")
            positions.add(unique)
            numbers.append(
                PublishedNumber(
                    line["source"],
                    *position,
                    accuracy,
                    std,
                    line["reliability"],
                    line["protocol"],
                    line["constant"] == "yes",
                    line["row_as_printed"],
                    line["source_url"],
                )
            )
    return tuple(numbers)


def _percentage(text: str, where: str) -> float | None:
    value, _ = parse_float(text)
    if text and (value is None or not 0 <= value <= 100):
        raise BadInput(f"{where}: {text!r} is not a percentage; expected a number from 0 to 100, or nothing")
    return value
