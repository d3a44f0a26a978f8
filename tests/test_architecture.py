"""Rules about the source code: layers, imports, names, language, and what commands import."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import json
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "relattr": "relattr",
    "methods": "relattr.methods",
    "datasets": "relattr.datasets",
    "benchmarks": "relattr.benchmarks",
    "tools": "tools",
}
"""Folder -> the name under which it is imported."""
BANNED_PHRASES = ROOT / "tests" / "banned_phrases.txt"
BUILDING_BLOCKS = ("backbones", "features", "ranksvm", "networks", "training", "chains")
HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "scipy",
    "sklearn",
    "skimage",
    "numba",
    "pandas",
    "matplotlib",
    "safetensors",
)
"""Packages that are imported inside functions only, by everything that commands import to list, plan or report."""
NUMERICAL = ("numpy", "PIL")
"""Packages that plugins may import at their top, because `relattr list` reads a cache, but the harness may not."""
LIGHT = (
    "__init__",
    "catalogue",
    "cli",
    "dataset",
    "errors",
    "execution",
    "harness",
    "identity",
    "interface",
    "method",
    "mixins",
    "name_patterns",
    "needs",
    "parameters",
    "plugin_modules",
    "progress",
    "random",
    "registry",
    "run_settings",
    "system",
    "task",
)
"""Modules and packages of relattr that `list`, `plan` and `status` import, besides plugins."""


def project_modules():
    for folder, package in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


FILES = dict(project_modules())
LAYERED = {name: path for name, path in FILES.items() if not name.startswith(("relattr.benchmarks", "tools"))}


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module, path, top_only=False):
    """Names of all modules that a file imports, except for type checking; with ``top_only``, not inside functions."""
    names = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            children = node.orelse
        elif top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        else:
            children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            base = (
                importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                if node.level
                else node.module
            )
            targets = {f"{base}.{alias.name}" for alias in node.names}
            names.update(targets)
            if not all(target in FILES for target in targets):  # not only submodules, but names that a package defines
                names.add(base)
        for child in children:
            visit(child)

    visit(tree_of(path))
    return names


def below(module, *packages):
    return any(module == f"relattr.{p}" or module.startswith(f"relattr.{p}.") for p in packages)


def violations(sources, *targets):
    """``importer -> imported`` for every import of a module of ``targets`` in a module of ``sources``."""
    return sorted(
        f"{module} -> {imported}"
        for module, path in LAYERED.items()
        if below(module, *sources)
        for imported in imports(module, path)
        if below(imported, *targets) and not below(module, *targets)
    )


def top_packages():
    return {module.split(".")[1] for module in LAYERED if "." in module}


# ---------------------------------------------------------------------- layers


def test_the_source_is_found_and_its_imports_are_read():
    assert {"relattr.pairs", "relattr.harness.plan", "relattr.methods.chance", "relattr.datasets.glyphs"} <= set(FILES)
    assert "relattr.registry" in imports("relattr.cli.plugins", FILES["relattr.cli.plugins"])


def test_nothing_imports_the_command_line():
    assert violations(top_packages() - {"cli"}, "cli") == []


def test_only_the_command_line_imports_the_interface():
    assert violations(top_packages() - {"cli", "interface"}, "interface") == []


def test_the_interface_imports_no_building_block():
    assert violations(["interface"], *BUILDING_BLOCKS) == []


def test_the_harness_imports_no_building_block():
    assert violations(["harness", "execution"], *BUILDING_BLOCKS) == []


def test_the_harness_does_not_import_execution():
    assert violations(["harness"], "execution") == []


def test_building_blocks_do_not_import_the_harness():
    assert violations(BUILDING_BLOCKS, "harness", "execution", "report") == []


def test_relattr_does_not_import_any_method_or_dataset():
    assert violations(top_packages() - {"methods", "datasets"}, "methods", "datasets") == []


def test_data_modules_import_only_each_other():
    data = ["pairs", "sampling", "random", "images", "task", "statistics", "system", "identity"]
    assert violations(data, *BUILDING_BLOCKS, "harness", "execution", "report", "registry", "method", "dataset") == []


def test_plugins_import_neither_harness_nor_report():
    assert violations(["methods", "datasets"], "harness", "execution", "report") == []


def test_the_report_imports_no_building_block():
    assert violations(["report"], *BUILDING_BLOCKS, "execution") == []


def test_methods_and_datasets_do_not_import_each_other():
    assert violations(["methods"], "datasets") == []
    assert violations(["datasets"], "methods") == []


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions count too. A package depends on what its ``__init__`` imports."""
    graph = {
        module: {name for name in imports(module, path) if name in LAYERED and name != module}
        for module, path in LAYERED.items()
    }
    graph["relattr"] = set()  # its names are imported on first use
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import circle: " + " -> ".join(reversed(error.args[1])))


# ---------------------------------------------------------------------- names and language


def test_no_public_class_name_is_defined_twice():
    modules = defaultdict(list)
    for module, path in FILES.items():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(module)
    assert {name: places for name, places in modules.items() if len(places) > 1} == {}


def test_flags_of_methods_are_read_from_instances():
    """A subclass may define a ``uses_`` flag as a property, which read from the class would be true."""
    for module, path in FILES.items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and node.attr.startswith("uses_"):
                owner = ast.unparse(node.value)
                assert not owner.endswith((".cls", ".__class__")), f"{module}:{node.lineno} reads {owner}.{node.attr}"
                assert not owner.startswith("type("), f"{module}:{node.lineno} reads {owner}.{node.attr}"


def tracked_texts():
    """The Python, Markdown and TOML files of the project; except generated results and vendored files."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    for name in done.stdout.splitlines():
        if name.endswith((".py", ".md", ".toml")) and not name.startswith("results/"):
            path = ROOT / name
            if path.is_file():
                yield name, path.read_text(encoding="utf-8")


def test_no_banned_phrase_is_used():
    phrases = [line for line in BANNED_PHRASES.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(phrases) > 10
    used = []
    for name, text in tracked_texts():
        words = " ".join(text.split()).lower()  # a phrase may be broken across lines
        used += [f"{name}: {phrase}" for phrase in phrases if phrase.lower() in words]
    assert used == []


def test_test_names_are_short():
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert len(node.name) <= 60, f"{path.relative_to(ROOT)}: {node.name} has {len(node.name)} characters"


# ---------------------------------------------------------------------- what commands import


@pytest.mark.parametrize("module", [m for m in LAYERED if m == "relattr" or below(m, *LIGHT)])
def test_modules_of_the_command_line_are_light(module):
    heavy = {name.partition(".")[0] for name in imports(module, FILES[module], top_only=True)} & {*HEAVY, *NUMERICAL}
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
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(arguments, folder):
    """The modules that are imported in a new process after a command."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, json.dumps(arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["list", "methods"], ["list", "datasets"], ["list", "benchmarks"]])
def test_help_and_lists_import_neither_numpy_nor_plugins(arguments, tmp_path):
    if arguments[0] == "list":
        modules_after(["list", "methods"], tmp_path)  # writes the catalogue
    imported = modules_after(arguments, tmp_path)
    assert not {name.partition(".")[0] for name in imported} & {*HEAVY, *NUMERICAL, "rich"}
    assert not {name for name in imported if name.startswith(("relattr.methods.", "relattr.datasets."))}


@pytest.mark.parametrize("command", ["plan", "status"])
def test_plan_and_status_import_nothing_heavy(command, tmp_path):
    imported = modules_after([command, "quick", "--methods", "chance"], tmp_path)
    assert not {name.partition(".")[0] for name in imported} & {*HEAVY, "rich", "filelock", "requests"}
    assert "PIL.Image" not in imported


def test_the_command_line_loads_every_plugin_of_the_project(tmp_path):
    """A broken plugin is only reported on stderr, and its rows are missing."""
    code = "from relattr.registry import registry as r; r.discover(); print([(b.where, b.error) for b in r.broken])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
