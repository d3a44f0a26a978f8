"""Write docs/paper.md: the paper paragraph by paragraph, with the command and the state of each claim and table row.

    python tools/paper_page.py

The claims are in tools/paper_claims.toml; the rows of tables are those of benchmarks/table1.toml to table4.toml. States
are derived from what the registered datasets can download and from the results in results/reference, unless a claim
gives its own. Code is the registered module of a row's method. The test is the file that mirrors this module, or else
the tests of methods and datasets that name the method.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from relattr import Dataset
from relattr.harness.benchmark import Benchmark, ColumnSpec, RowSpec, load_benchmark
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry, registry
from relattr.report.tables.published import published_number
from relattr.system.atomic import write_text

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "paper.md"
CLAIMS = ROOT / "tools" / "paper_claims.toml"
TABLES = ("table1", "table2", "table3", "table4")
SYNTHETIC = ("glyphs", "glyphs-aligned")
NONE = "–"
PICTURES = (".jpg", ".jpeg", ".png")

State = Literal["works", "synthetic only", "blocked by data", "cannot be known"]
STATES: Mapping[State, str] = {
    "works": "the command regenerates it, from data that `relattr data fetch` downloads or that is part of relattr",
    "synthetic only": "the paper's data cannot be downloaded; the claim is tested on synthetic data with known truth",
    "blocked by data": "data or weights that it needs cannot be downloaded; the command works for anyone who has them",
    "cannot be known": "the paper or its sources do not say enough, or what they used no longer exists",
}
NO_CATEGORIES = ("lfw10", "popularity")
"""Datasets of the paper without categories: on these ViralNet-C needs a pretrained category network."""


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the paper says, and the command that regenerates or tests it.

    Either ``state`` is given, or ``methods`` and ``datasets`` that it is derived from.
    """

    says: str
    command: str
    state: State | Literal[""] = ""
    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    synthetic: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if bool(self.state) == bool(self.methods and self.datasets):
            raise ValueError(f"{self.says!r} needs either a state, or methods and datasets")


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the paper, and the table in it."""

    title: str
    claims: tuple[Claim, ...]
    table: str = ""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of claims."""

    section: tuple[Section, ...]


def read_claims() -> tuple[Section, ...]:
    """The sections of the paper in order. Raises ``msgspec.DecodeError`` for a file that is not valid."""
    return msgspec.toml.decode(CLAIMS.read_bytes(), type=Claims).section


def render_page(registered: Registry) -> str:
    """Render the page as Markdown."""
    store = Store(ROOT / "results" / "reference")
    measured = _measured(store)
    tests = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    lines = [
        "# The paper, paragraph by paragraph",
        "",
        "Abhimanyu Dubey and Sumeet Agarwal, *Modeling Image Virality with Pairwise Spatial Transformer Networks*, ACM "
        "Multimedia 2017 ([arXiv:1709.07914](https://arxiv.org/abs/1709.07914)): each experiment, figure, number and "
        "claim, with the command that regenerates or tests it, and its state. Written by `python tools/paper_page.py` "
        "from `tools/paper_claims.toml`, the registry, the benchmarks and `results/reference`.",
        "",
        "| state | meaning |",
        "| --- | --- |",
        *(f"| {state} | {meaning} |" for state, meaning in STATES.items()),
        "",
        "A state says whether a number can be computed, not whether it agrees with the paper; `relattr tables` writes "
        "the verdicts.",
        "",
        "In the tables of rows, *code* is the file that defines the method of the row, and *test* the test file of the "
        "same name or, where there is none, the tests of methods and datasets that name the method; "
        "`tests/test_plugin_contracts.py` checks the contract of every method. *Real data* and *synthetic data* are "
        "the datasets with committed results of the method, with any parameters, and the number of attributes and "
        "splits; `relattr status --results results/reference` shows them.",
        "",
    ]
    for section in read_claims():
        lines += [f"## {section.title}", ""]
        lines += ["| the paper | command | state | remarks |", "| --- | --- | --- | --- |"]
        lines += [_claim_line(claim, registered) for claim in section.claims]
        lines.append("")
        if section.table:
            lines += _table_lines(load_benchmark(section.table), registered, measured, tests)
    lines += ["## Datasets", "", "| dataset | name | code | test | can be downloaded | results |"]
    lines += ["| --- " * 6 + "|"]
    for name in dict.fromkeys(d for table in TABLES for d in load_benchmark(table).datasets):
        lines.append("| " + " | ".join(_dataset(name, registered, tests, measured)) + " |")
    return "\n".join([*lines, ""])


def _claim_line(claim: Claim, registered: Registry) -> str:
    state = claim.state or _combined_state(claim, registered)
    synthetic = f"on synthetic data: {claim.synthetic}" if claim.synthetic else ""
    remarks = "; ".join(part for part in (synthetic, claim.note) if part)
    return "| " + " | ".join([claim.says, _as_code(claim.command), state, remarks or NONE]) + " |"


def _as_code(command: str) -> str:
    return command if command.startswith("none") else f"`{command}`"


def _combined_state(claim: Claim, registered: Registry) -> str:
    """The state of a claim on several methods and datasets: one if all agree, else by dataset."""
    states = {
        dataset: _worst([_state(method, dataset, registered, bool(claim.synthetic)) for method in claim.methods])
        for dataset in claim.datasets
    }
    return _joined(states)


def _joined(states: Mapping[str, str]) -> str:
    if len(set(states.values())) == 1:
        return next(iter(states.values()))
    return "; ".join(f"{name}: {state}" for name, state in states.items())


def _worst(states: Sequence[State]) -> State:
    return max(states, key=list(STATES).index)


def _state(method: str, dataset: str, registered: Registry, synthetic: bool) -> State:
    """Whether a method can be run on a dataset with what can be downloaded; ``synthetic``: or on synthetic data.

    A category network needs categories, or another network's weights.
    """
    if method in registered.constants:
        return "cannot be known"
    instance = registered.methods[method].create()
    if instance.uses_categories and dataset in NO_CATEGORIES:
        return "synthetic only" if synthetic else "blocked by data"
    plugin = registered.datasets[dataset]
    files = plugin.create().downloads()
    images = any(file.path.lower().endswith(PICTURES) for file in files)
    labels = bool(files) and plugin.cls.missing_labels is not Dataset.missing_labels
    if images or (labels and not instance.uses_pixels):
        return "works"
    return "synthetic only" if synthetic else "blocked by data"


def _table_lines(
    definition: Benchmark,
    registered: Registry,
    measured: Mapping[tuple[str, bool], str],
    tests: Mapping[Path, str],
) -> list[str]:
    """The rows of a table of the paper, each with its state, its code, its test and where it has results."""
    lines = [
        f"Rows of {definition.title}: `relattr run {definition.name}`, then `relattr tables {definition.name}`.",
        "",
        "| row | method | state | code | test | real data | synthetic data |",
        "| --- " * 7 + "|",
    ]
    for row in definition.table.rows:
        real, drawn = measured.get((row.method, False), NONE), measured.get((row.method, True), NONE)
        cells = [
            row.published,
            f"`{row.method}`",
            _row_state(definition, row, registered, drawn != NONE),
            _code(row.method, registered),
            _tests(row.method, registered, tests),
        ]
        lines.append("| " + " | ".join([*cells, real, drawn]) + " |")
    return [*lines, ""]


def _row_state(definition: Benchmark, row: RowSpec, registered: Registry, drawn: bool) -> str:
    """The state of a row of a table, by column if the columns differ; columns where the paper has no number are left
    out.
    """
    states: dict[str, str] = {}
    for column in definition.table.columns:
        if _published(definition.table.published, row, column):
            known = row.method in registered.methods or row.method in registered.constants
            states[column.label] = _state(row.method, column.dataset, registered, drawn) if known else NONE
    return _joined(states) if states else NONE


def _published(table: str, row: RowSpec, column: ColumnSpec) -> bool:
    number = published_number(table, row.published, column.published or column.label)
    return number is not None and number.accuracy is not None


def _code(method: str, registered: Registry) -> str:
    if method in registered.constants:
        return f"published only: {registered.constants[method].reason}".replace("|", "\\|")
    if method not in registered.methods:
        return "none yet"
    return f"`{_file(registered.methods[method].module)}`"


def _file(module: str) -> str:
    """The file of a module: ``relattr.methods.ranksvm`` -> ``methods/ranksvm.py``."""
    path = ROOT / module.removeprefix("relattr.").replace(".", "/")
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).relative_to(ROOT).as_posix()


def _tests(name: str, registered: Registry, tests: Mapping[Path, str]) -> str:
    """The test file that mirrors the plugin's file; if there is none, those of methods and datasets that name it."""
    entry = registered.methods.get(name) or registered.datasets.get(name) or registered.constants.get(name)
    if entry is None:
        return NONE
    code = Path(_file(entry.module).removesuffix("/__init__.py"))
    mirror = ROOT / "tests" / code.parent / f"test_{code.stem}.py"
    if mirror in tests:
        return f"`{mirror.relative_to(ROOT).as_posix()}`"
    stem = re.escape(entry.module.rpartition(".")[2])
    package = re.escape(entry.module.rpartition(".")[0])
    named = re.compile(rf"[\"']{re.escape(name)}[\"']|from {package} import [^\n]*\b{stem}\b|\b{package}\.{stem}\b")
    folders = (ROOT / "tests" / "methods", ROOT / "tests" / "datasets")
    mentions = [
        path.relative_to(ROOT).as_posix()
        for path, content in tests.items()
        if path.parent in folders and named.search(content)
    ]
    contracts = NONE if name in registered.constants else "`tests/test_plugin_contracts.py`"
    return "<br>".join(f"`{path}`" for path in mentions) or contracts


def _measured(store: Store) -> dict[tuple[str, bool], str]:
    """Where there are results: by (method, whether the data is synthetic), and by (dataset, False)."""
    tasks: dict[tuple[str, bool], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in store:
        if not isinstance(row, Result) or row.status != "ok":
            continue
        cell = row.cell
        tasks[cell.method, cell.dataset in SYNTHETIC][cell.dataset].add(str(cell.task))
        tasks[cell.dataset, False][f"`{cell.method}`"].add(str(cell.task))
    return {
        key: ", ".join(f"{what}: {len(names)}" for what, names in sorted(where.items())) for key, where in tasks.items()
    }


def _dataset(
    name: str, registered: Registry, tests: Mapping[Path, str], measured: Mapping[tuple[str, bool], str]
) -> list[str]:
    if name not in registered.datasets:
        return [NONE, f"`{name}`", "none yet", NONE, NONE, NONE]
    entry = registered.datasets[name]
    files = entry.create().downloads()
    size = sum(file.size or 0 for file in files) / 1e6
    fetch = f"{len(files):,} files, {size:.0f} MB" if files else "no"
    if files and not any(file.path.lower().endswith(PICTURES) for file in files):
        fetch += ": annotations only"
    numbers = measured.get((name, False), NONE)
    return [entry.label, f"`{name}`", f"`{_file(entry.module)}`", _tests(name, registered, tests), fetch, numbers]


if __name__ == "__main__":
    registry.discover()
    write_text(PAGE, render_page(registry))
    print(f"wrote {PAGE.relative_to(ROOT)}")
