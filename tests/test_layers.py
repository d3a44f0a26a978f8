"""Imports inside the project point one way, and what must answer at once imports nothing heavy."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = ("backbones", "features", "ranksvm", "networks", "training", "chains")
HEAVY = (
    "numpy",
    "torch",
    "torchvision",
    "timm",
    "scipy",
    "sklearn",
    "skimage",
    "numba",
    "pandas",
    "matplotlib",
    "PIL",
    "safetensors",
)
LIGHT = (
    "__init__",
    "cli",
    "dataset",
    "errors",
    "execution",
    "harness",
    "identity",
    "method",
    "needs",
    "parameters",
    "progress",
    "random",
    "registry",
    "run",
    "system",
    "task",
)
"""What `list`, `plan` and `status` import of relattr, beside all plugins: files or packages."""


def project_files():
    for folder, package in (("relattr", "relattr"), ("methods", "relattr.methods"), ("datasets", "relattr.datasets")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(p for p in parts if p != "__init__")]), path


FILES = dict(project_files())


def imports(module, path, top_only=False):
    """Names of all modules that a file imports; with ``top_only`` those that run when it is imported."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            children = node.orelse
        elif top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        else:
            children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            base = (
                importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                if node.level
                else node.module
            )
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        for child in children:
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def below(module, *packages):
    return any(module == f"relattr.{p}" or module.startswith(f"relattr.{p}.") for p in packages)


def wrong(sources, *targets):
    """``importer -> imported`` for every arrow from a module of ``sources`` into ``targets``."""
    return sorted(
        f"{module} -> {imported}"
        for module, path in FILES.items()
        if below(module, *sources)
        for imported in imports(module, path)
        if below(imported, *targets) and not below(module, *targets)
    )


def test_there_is_something_to_look_at():
    assert {"relattr.pairs", "relattr.harness.plan", "relattr.methods.chance", "relattr.datasets.glyphs"} <= set(FILES)
    assert "relattr.registry" in imports("relattr.cli.shared", FILES["relattr.cli.shared"])


def test_nothing_imports_the_command_line():
    everything = {module.split(".")[1] for module in FILES if "." in module}
    assert wrong(everything - {"cli"}, "cli") == []


def test_the_harness_imports_no_building_block():
    assert wrong(["harness", "execution"], *BLOCKS) == []


def test_bookkeeping_does_not_import_execution():
    assert wrong(["harness"], "execution") == []


def test_building_blocks_import_no_harness():
    assert wrong(BLOCKS, "harness", "execution", "report") == []


def test_the_engine_knows_no_method_and_no_dataset_by_name():
    everything = {module.split(".")[1] for module in FILES if "." in module}
    assert wrong(everything - {"methods", "datasets"}, "methods", "datasets") == []


def test_data_stands_on_nothing_but_itself():
    data = ["pairs", "sampling", "random", "images", "task", "statistics", "system", "identity"]
    assert wrong(data, *BLOCKS, "harness", "execution", "report", "registry", "method", "dataset") == []


def test_plugins_import_neither_harness_nor_report():
    assert wrong(["methods", "datasets"], "harness", "execution", "report") == []


def test_the_report_reads_the_store_and_computes_nothing():
    assert wrong(["report"], *BLOCKS, "execution") == []


def test_methods_do_not_know_datasets():
    assert wrong(["methods"], "datasets") == []
    assert wrong(["datasets"], "methods") == []


@pytest.mark.parametrize("module", [m for m in FILES if m == "relattr" or below(m, *LIGHT)])
def test_what_the_command_line_imports_is_light(module):
    heavy = {name.partition(".")[0] for name in imports(module, FILES[module], top_only=True)} & set(HEAVY)
    assert not heavy, f"{module} imports {heavy} at its top; import it in the function that needs it"


@pytest.mark.parametrize(
    "module", [p for m in ("methods", "datasets") for p in FILES if p.rpartition(".")[0] == f"relattr.{m}"]
)
def test_plugin_modules_are_light(module):
    heavy = {name.partition(".")[0] for name in imports(module, FILES[module], top_only=True)} & set(HEAVY)
    assert not heavy, f"{module} imports {heavy} at its top; import it in the function that needs it"


COMMAND = """
import json, sys
from click.testing import CliRunner
from relattr.cli import cli
result = CliRunner().invoke(cli, json.loads(sys.argv[1]), catch_exceptions=False)
assert result.exit_code == 0, result.output
assert result.output.strip()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["list", "methods"], ["list", "datasets"], ["list", "benchmarks"]])
def test_these_commands_import_nothing_heavy(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, json.dumps(arguments)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert not imported & set(HEAVY)


def test_the_command_line_loads_every_plugin_of_the_project(tmp_path):
    """None is broken: a broken one would only be named on stderr, and its rows would be missing."""
    code = "from relattr.registry import registry as r; r.discover(); print([(b.where, b.error) for b in r.broken])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
