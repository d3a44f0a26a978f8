"""No cell of a CSV file is a formula."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from relattr.harness.export import write_frames
from relattr.report.formats.csv import table_to_csv
from relattr.report.tables.entry import TableColumn, TableEntry
from relattr.report.tables.table import PaperTable, TableRow
from relattr.system.spreadsheet import escape_csv

FORMULAS = [
    "=HYPERLINK(1)",
    "+cmd|x",
    "-1+2",
    "@SUM(1)",
    "\t=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0dx",
    "\uff20x",
]
STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert escape_csv(text) == f"'{text}"


@pytest.mark.parametrize("text", ["\r=1", "a\r=1", "a\r\n=1"])
def test_a_carriage_return_does_not_begin_a_row(tmp_path: Path, text: str) -> None:
    write_frames(tmp_path / "x.csv", [pd.DataFrame({"name": [text]})], {"name": str})
    assert b"\r" not in (tmp_path / "x.csv").read_bytes()
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 2


@pytest.mark.parametrize("text", ["", "x=1", "-1.5", "+2", "-1e-5", "a", "'=x", "{}"])
def test_other_text_and_numbers_stay(text: str) -> None:
    assert escape_csv(text) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_exports_have_no_formula_in_any_column(tmp_path: Path, text: str) -> None:
    frame = pd.DataFrame({"name": [text, "x", None], "value": [-1.5, 2.0, float("nan")]})
    frame["name"] = frame["name"].astype("string")
    write_frames(tmp_path / "x.csv", [frame], {"name": str, "value": float})
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["name", "value"], [f"'{text}", "-1.5"], ["x", "2.0"], ["", ""]]
    assert frame["name"][0] == text  # the frame itself is not changed


@pytest.mark.parametrize("text", FORMULAS)
def test_tables_have_no_formula_in_any_column(text: str) -> None:
    entry = TableEntry(measured=0.5, published=0.6, status=text, reliability=text, notes=(text,))
    table = PaperTable(text, "", "", (TableColumn(text, "c"),), (TableRow(text, text, (entry,), "paper", ()),))
    for row in csv.reader(io.StringIO(table_to_csv(table))):
        for cell in row:
            number = cell.replace("-", "", 1).replace(".", "", 1).isdigit()
            assert number or not cell.startswith(STARTS)
