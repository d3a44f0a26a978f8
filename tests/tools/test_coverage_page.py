"""The page of the paper's rows is what the registry, the benchmark files and the reference results say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from relattr.harness.benchmark import load_benchmark
from relattr.registry import Constant, Registry, registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rows", ROOT / "docs" / "rows.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    registry.discover()
    return module


def ours() -> Registry:
    """The project's own plugins: other tests register some that only they know."""
    registry.discover()
    found = Registry()
    tables: Any = (
        (registry.methods, found.methods),
        (registry.datasets, found.datasets),
        (registry.constants, found.constants),
    )
    for table, kept in tables:
        kept.update((name, entry) for name, entry in table.items() if entry.module.startswith("relattr."))
    return found


def test_the_page_is_current(rows: ModuleType) -> None:
    assert rows.PAGE.read_text(encoding="utf-8") == rows.text(ours()), "python tools/coverage_page.py writes it anew"


def test_every_row_of_the_paper_is_on_it(rows: ModuleType) -> None:
    page = rows.text(ours())
    for table in rows.TABLES:
        definition = load_benchmark(table)
        part = page.split(f"## {definition.title}\n")[1].split("\n## ")[0]
        lines = [line for line in part.splitlines() if line.startswith("| ")][2:]
        assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [
            row.published for row in definition.table.rows
        ]


def test_a_row_without_code_says_so_and_a_constant_why(rows: ModuleType) -> None:
    found = ours()
    found.methods.pop("ranksvm-hog2x2")
    found.constants["human"] = Constant("human", "Human", "people were asked", "relattr.methods.published_only")
    lines = {line.split(" | ")[1]: line for line in rows.text(found).splitlines() if line.count(" | ") == 5}
    assert "| none yet | – |" in lines["`ranksvm-hog2x2`"]
    assert "| published only: people were asked |" in lines["`human`"]
    assert "`datasets/osr.py` | `tests/datasets/test_osr.py`" in lines["`osr`"].replace("<br>", " ")
