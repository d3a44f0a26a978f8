"""Write docs/coverage-of-the-paper.md: which rows of the paper have code, a test and results.

    python tools/coverage_page.py

Rows are those of benchmarks/table1.toml to table4.toml. Code is the registered module of a row's method. The test is
the file that mirrors this module, or else all files that mention the method. Results, on real and on synthetic data,
are those in results/reference.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from relattr import parameters
from relattr.harness.benchmark import load_benchmark
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry, registry
from relattr.system.atomic import write_text

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coverage-of-the-paper.md"
TABLES = ("table1", "table2", "table3", "table4")
SYNTHETIC = ("glyphs", "glyphs-aligned")
NONE = "–"
PICTURES = (".jpg", ".jpeg", ".png")


def render_page(registered: Registry) -> str:
    """Render the page as Markdown."""
    measured = _measured(Store(ROOT / "results" / "reference"), registered)
    tests = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    lines = [
        "# Coverage of the paper: code, tests and results of each row",
        "",
        "Written by `python tools/coverage_page.py` from the registry, the benchmarks and `results/reference`.",
        "",
        "Code: the file that defines the row's method. Test: the test file of the same name, or, where there is none, "
        "all test files that name the method or import its module; `tests/test_plugin_contracts.py` checks the "
        "contract of every method. Real and synthetic data: datasets with committed results, the number of attributes "
        "and splits, and in parentheses the parameters that differ from the row's own.",
        "",
    ]
    for name in TABLES:
        definition = load_benchmark(name)
        lines += [f"## {definition.title}", "", "| row | method | code | test | real data | synthetic data |"]
        lines += ["| --- " * 6 + "|"]
        for row in definition.table.rows:
            real, drawn = measured.get((row.method, False), NONE), measured.get((row.method, True), NONE)
            cells = [
                row.published,
                f"`{row.method}`",
                _code(row.method, registered),
                _tests(row.method, registered, tests),
            ]
            lines.append("| " + " | ".join([*cells, real, drawn]) + " |")
        lines.append("")
    lines += ["## Datasets of the paper", "", "| dataset | name | code | test | can be fetched | numbers |"]
    lines += ["| --- " * 6 + "|"]
    for name in dict.fromkeys(d for table in TABLES for d in load_benchmark(table).datasets):
        lines.append("| " + " | ".join(_dataset(name, registered, tests, measured)) + " |")
    return "\n".join([*lines, ""])


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
    """The test file that mirrors the plugin's file; if there is none, all that name the plugin or import its module."""
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
    mentions = [path.relative_to(ROOT).as_posix() for path, content in tests.items() if named.search(content)]
    return "<br>".join(f"`{path}`" for path in mentions) or NONE


def _measured(store: Store, registered: Registry) -> dict[tuple[str, bool], str]:
    """Where there are results: by (method, whether the data is synthetic), and by (dataset, False)."""
    tasks: dict[tuple[str, bool], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in store:
        if not isinstance(row, Result) or row.status != "ok":
            continue
        cell = row.cell
        changes = ""
        if cell.method in registered.methods:
            defaults = parameters.values_of(registered.methods[cell.method].create())
            changed = {k: v for k, v in sorted(cell.method_parameters.items()) if defaults.get(k) != v}
            changes = " (" + ", ".join(f"{k}={v}" for k, v in changed.items()) + ")" if changed else ""
        tasks[cell.method, cell.dataset in SYNTHETIC][cell.dataset + changes].add(str(cell.task))
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
