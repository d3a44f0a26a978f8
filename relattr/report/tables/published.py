"""The published numbers, read from ``paper_tables/published.csv``."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from relattr.errors import BadInput

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
]
RELIABILITY = {
    "V": "verified: read in the authors' code or data, or computed from them",
    "S": "stated in the paper this suite implements",
    "C": "recalled, and it passes an independent numeric check",
    "M": "recalled only",
}
"""What the letter in the column ``reliability`` means."""


@dataclass(frozen=True)
class Fact:
    """One published number: ``attribute`` is empty for the mean over attributes.

    ``table`` is empty where the row is in none of the paper's tables. ``accuracy`` is in per cent, None
    where a dash is printed. ``constant`` rows cannot be measured and are only ever shown as published.
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


@cache
def facts() -> tuple[Fact, ...]:
    """Every published number, in the order of the file.

    Raises `BadInput` naming the line of a value that is not a percentage, or of a number given twice.
    """
    return read(_folder() / "published.csv")


@cache
def _by_place() -> dict[tuple[str, str, str, str], Fact]:
    return {(f.table, f.row, f.column, f.attribute): f for f in facts() if f.table}


def published(table: str, row: str, column: str, attribute: str = "") -> Fact | None:
    """The fact at this place of one of the paper's tables; None where there is none."""
    return _by_place().get((table, row, column, attribute))


@cache
def is_constant(table: str, row: str) -> bool:
    """Whether a row of the paper's table is a published constant, not something that can be run."""
    return any(f.constant for (t, r, _, _), f in _by_place().items() if (t, r) == (table, row))


@cache
def is_by_attribute(table: str, column: str) -> bool:
    """Whether a column of the paper's table is a mean over attributes that are published one by one."""
    return any(attribute for (t, _, c, attribute) in _by_place() if (t, c) == (table, column))


def others(column: str, attributes: Iterable[str]) -> list[tuple[str, tuple[str, ...], dict[str, Fact]]]:
    """Published rows that have this column attribute by attribute: row, what to know of it, facts by attribute.

    Those of the paper's tables come first; the mean is under the empty attribute.
    """
    wanted = {*attributes, ""}
    found: dict[tuple[str, str], dict[str, Fact]] = {}
    for fact in sorted((f for f in facts() if f.column == column), key=lambda f: not f.table):
        if fact.attribute in wanted:
            # a row of the paper's tables has its mean from there, its attributes from elsewhere
            found.setdefault((fact.row, "" if fact.table else fact.source), {})[fact.attribute] = fact
    named: list[tuple[str, tuple[str, ...], dict[str, Fact]]] = []
    for (row, _), numbers in found.items():
        behind = [f for attribute, f in numbers.items() if attribute]
        if behind:
            trust = " (recalled, not read in the source)" if any(f.reliability == "M" for f in behind) else ""
            named.append((row, (f"{behind[0].source}{trust}: {behind[0].protocol}",), numbers))
    return named


def read(path: Path) -> tuple[Fact, ...]:
    """The facts in a file of published numbers; raises as `facts` does."""
    found = []
    seen = set()
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != HEADER:
            raise BadInput(f"{path} has columns {reader.fieldnames}; expected {HEADER}")
        for line in reader:
            where = f"{path}, line {reader.line_num}"
            accuracy, std = (_percent(line[name], where) for name in ("accuracy_percent", "std"))
            if line["reliability"] not in RELIABILITY:
                raise BadInput(
                    f"{where}: reliability {line['reliability']!r} should be one of {', '.join(RELIABILITY)}"
                )
            if line["constant"] not in ("yes", "no"):
                raise BadInput(f"{where}: constant is {line['constant']!r}; expected yes or no")
            place = line["table"], line["row"], line["column"], line["attribute"]
            if (key := place if line["table"] else (line["source"], *place)) in seen:
                raise BadInput(f"{where}: {' / '.join(place)} is given twice")
            seen.add(key)
            found.append(
                Fact(
                    line["source"],
                    *place,
                    accuracy,
                    std,
                    line["reliability"],
                    line["protocol"],
                    line["constant"] == "yes",
                    line["row_as_printed"],
                )
            )
    return tuple(found)


def _percent(text: str, where: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value <= 100:
        raise BadInput(f"{where}: {text!r} is not a percentage")
    return value


def _folder() -> Path:
    spec = importlib.util.find_spec("relattr.paper_tables")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("relattr.paper_tables is not there; install relattr with 'pip install .' or 'pip install -e .'")
    return Path(next(iter(spec.submodule_search_locations)))
