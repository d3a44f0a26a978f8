"""docs/coverage-of-the-paper.md matches the registry, the benchmark files and the reference results."""

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
def coverage_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_page", ROOT / "tools" / "coverage_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    registry.discover()
    return module


def project_plugins() -> Registry:
    """The project's own plugins, without those that other tests register."""
    registry.discover()
    plugins = Registry()
    tables: Any = (
        (registry.methods, plugins.methods),
        (registry.datasets, plugins.datasets),
        (registry.constants, plugins.constants),
    )
    for table, copied in tables:
        copied.update((name, entry) for name, entry in table.items() if entry.module.startswith("relattr."))
    return plugins


def test_the_page_is_current(coverage_page: ModuleType) -> None:
    assert coverage_page.PAGE.read_text(encoding="utf-8") == coverage_page.render_page(project_plugins()), (
        "run python tools/coverage_page.py"
    )


def test_every_row_of_the_paper_is_listed(coverage_page: ModuleType) -> None:
    page = coverage_page.render_page(project_plugins())
    for table in coverage_page.TABLES:
        definition = load_benchmark(table)
        part = page.split(f"## {definition.title}\n")[1].split("\n## ")[0]
        lines = [line for line in part.splitlines() if line.startswith("| ")][2:]
        assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [
            row.published for row in definition.table.rows
        ]


def test_rows_without_code_and_published_rows_are_marked(coverage_page: ModuleType) -> None:
    plugins = project_plugins()
    plugins.methods.pop("ranksvm-hog2x2")
    plugins.constants["human"] = Constant("human", "Human", "people were asked", "relattr.methods.published_only")
    lines = {
        line.split(" | ")[1]: line for line in coverage_page.render_page(plugins).splitlines() if line.count(" | ") == 5
    }
    assert "| none yet | – |" in lines["`ranksvm-hog2x2`"]
    assert "| published only: people were asked |" in lines["`human`"]
    assert "`datasets/osr.py` | `tests/datasets/test_osr.py`" in lines["`osr`"].replace("<br>", " ")
