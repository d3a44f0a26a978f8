"""Cells of CSV files that spreadsheets open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from relattr.system.numbers import parse_float

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first four."""


def escape_csv(text: str) -> str:
    r"""Return text that no spreadsheet interprets as a formula: an apostrophe is put before one.

    Numbers stay as they are. Line ends become ``\n``: `csv.writer` does not quote a carriage return, which ends a row.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith(_FORMULA_STARTS) and parse_float(text)[0] is None:
        return f"'{text}"
    return text


def csv_text(header: Sequence[str], lines: Iterable[Iterable[object]]) -> str:
    """Return a CSV file with a header and lines, whose text is escaped as by `escape_csv`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([escape_csv(cell) if isinstance(cell, str) else cell for cell in line] for line in lines)
    return out.getvalue()
