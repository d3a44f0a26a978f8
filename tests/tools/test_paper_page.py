"""docs/paper.md matches its claims, the registry, the benchmark files and the reference results."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from relattr.cli import cli
from relattr.harness.benchmark import load_benchmark
from relattr.registry import Constant, Registry, registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def paper_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paper_page", ROOT / "tools" / "paper_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["paper_page"] = module  # where msgspec looks up annotations
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


def test_the_page_is_current(paper_page: ModuleType) -> None:
    assert paper_page.PAGE.read_text(encoding="utf-8") == paper_page.render_page(project_plugins()), (
        "run python tools/paper_page.py"
    )


def test_every_row_of_the_paper_is_listed(paper_page: ModuleType) -> None:
    page = paper_page.render_page(project_plugins())
    for table in paper_page.TABLES:
        definition = load_benchmark(table)
        part = page.split(f"Rows of {definition.title}: ")[1].split("\n## ")[0]
        lines = [line for line in part.splitlines() if line.startswith("| ")][2:]
        assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [
            row.published for row in definition.table.rows
        ]


def test_rows_without_code_and_published_rows_are_marked(paper_page: ModuleType) -> None:
    plugins = project_plugins()
    plugins.methods.pop("ranksvm-hog2x2")
    plugins.constants["human"] = Constant("human", "Human", "people were asked", "relattr.methods.published_only")
    lines = {
        line.split(" | ")[1]: line for line in paper_page.render_page(plugins).splitlines() if line.count(" | ") >= 5
    }
    assert "| none yet | – |" in lines["`ranksvm-hog2x2`"]
    assert "| cannot be known | published only: people were asked |" in lines["`human`"]
    assert "`datasets/osr.py` | `tests/datasets/test_osr.py`" in lines["`osr`"].replace("<br>", " ")


NUMBERS = {
    "Abstract": ["12 %"],
    "3.3 Datasets": [
        "132,000", "10,078", "80:20", "10M", "1M", "2.3M", "930K", "400K", "3,244", "100 users", "10K to 20K", "1.4M",
        "100 splits", "10 attributes", "1000 training", "500 pairs", "4 attributes", "50,025", "1388", "300 test",
        "6 attributes", "2,688",
    ],
    "3.4 Training": ["0.5", "90% area"],
    "4 Results": ["1, 0.5 and 0.25", "K40"],
    "4.1 Viral images: Table 1": ["12%", "24%", "23.3%"],
    "4.2 Popular images: Table 2": ["8%"],
    "5 Conclusion": ["19.1%"],
}  # fmt: skip
"""The numbers in the text of the paper, typed from it; those of tables are in paper_tables/published.csv."""


@pytest.mark.parametrize("title", NUMBERS)
def test_numbers_of_the_text_are_in_their_section(paper_page: ModuleType, title: str) -> None:
    (section,) = (section for section in paper_page.read_claims() if section.title == title)
    text = " ".join(claim.says for claim in section.claims)
    assert [number for number in NUMBERS[title] if number not in text] == []


def test_every_section_figure_and_table_is_listed(paper_page: ModuleType) -> None:
    page = paper_page.PAGE.read_text(encoding="utf-8")
    for title in (
        "Abstract", "1 Introduction", "2 Related work", "3 Approach", "3.2 Architecture", "3.3 Datasets",
        "3.4 Training", "4 Results", "4.1 ", "4.2 ", "4.3 ", "4.4 ", "4.5 ", "5 Conclusion",
    ):  # fmt: skip
        assert f"\n## {title}" in page
    for part in ("3.1", "3.4.1", "3.4.2", "3.4.3", *(f"Figure {k}" for k in (1, 2, 3, 4, 5))):
        assert part in page
    for k in (1, 2, 3, 4):
        assert f": Table {k}\n" in page


def test_what_commands_name_exists(paper_page: ModuleType) -> None:
    plugins = project_plugins()
    for section in paper_page.read_claims():
        for claim in section.claims:
            command = f"{claim.command} {claim.synthetic}"
            for path in re.findall(r"tests/[\w/.]+", command):
                assert (ROOT / path).exists(), path
            for name in re.findall(r"relattr (?:run|tables|figures) (\w+)", command):
                assert name == "mine" or load_benchmark(name), name
            for names in re.findall(r"--(?:methods|against) ([\w-]+)", command):
                assert names in {*plugins.methods, *plugins.constants}, command
            assert {*claim.methods} <= {*plugins.methods}
            assert {*claim.datasets} <= {*plugins.datasets}


def test_states_follow_from_data_and_methods(paper_page: ModuleType) -> None:
    plugins = project_plugins()
    assert paper_page._state("parikh-grauman-cnn", "osr", plugins, False) == "works"
    assert paper_page._state("chance", "viral", plugins, False) == "works"  # needs labels only
    assert paper_page._state("viralnet", "viral", plugins, True) == "synthetic only"
    assert paper_page._state("viralnet", "popularity", plugins, False) == "blocked by data"
    assert paper_page._state("viralnet-c", "lfw10", plugins, False) == "blocked by data"  # no categories
    assert paper_page._state("human", "viral", plugins, True) == "cannot be known"


def test_a_claim_has_either_a_state_or_what_it_follows_from(paper_page: ModuleType) -> None:
    for fields in ({}, {"state": "works", "methods": ("chance",), "datasets": ("viral",)}):
        with pytest.raises(ValueError, match="needs either a state"):
            paper_page.Claim("x", "y", **fields)


def test_every_command_is_accepted_by_the_command_line() -> None:
    claims = tomllib.loads((ROOT / "tools" / "paper_claims.toml").read_text(encoding="utf-8"))
    texts = [
        claim.get(key, "")
        for section in claims["section"]
        for claim in section["claims"]
        for key in ("command", "synthetic")
    ]
    commands = [shlex.split(part) for text in texts for part in text.split(";") if not text.startswith("none") and part]
    assert len(commands) > 50
    for program, *arguments in commands:
        if program == "relattr":
            parse(cli, arguments)
        else:
            assert program in ("pytest", "python")
            paths = arguments if program == "pytest" else arguments[:1]
            assert all((ROOT / path).exists() for path in paths), arguments


def parse(command: click.Command, arguments: list[str]) -> None:
    """Parse the arguments without running the command. Raises `click.UsageError`."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, arguments)
        assert found is not None, arguments
        parse(found, rest)
    else:
        command.make_context("command", arguments)
