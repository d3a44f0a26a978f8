"""The published numbers, read from ``paper_tables/published.csv``."""

from __future__ import annotations

import csv
import importlib.util
from functools import cache
from pathlib import Path

from relattr.errors import BadInput

HEADER = ["table", "row", "column", "accuracy_percent", "row_as_printed"]


@cache
def published() -> dict[tuple[str, str, str], float | None]:
    """(table, row, column) -> accuracy in per cent; None where the paper prints a dash.

    Raises `BadInput` naming the line of a value that is not a percentage, or of a cell given twice.
    """
    path = _folder() / "published.csv"
    found: dict[tuple[str, str, str], float | None] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != HEADER:
            raise BadInput(f"{path} has columns {reader.fieldnames}; expected {HEADER}")
        for line in reader:
            where = line["table"], line["row"], line["column"]
            text = line["accuracy_percent"]
            try:
                value = float(text) if text else None
            except ValueError:
                value = -1.0
            if value is not None and not 0 <= value <= 100:
                raise BadInput(f"{path}, line {reader.line_num}: {text!r} is not a percentage")
            if where in found:
                raise BadInput(f"{path}, line {reader.line_num}: {' / '.join(where)} is given twice")
            found[where] = value
    return found


def _folder() -> Path:
    spec = importlib.util.find_spec("relattr.paper_tables")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("relattr.paper_tables is not there; install relattr with 'pip install .' or 'pip install -e .'")
    return Path(next(iter(spec.submodule_search_locations)))
