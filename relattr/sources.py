"""Which project code a module runs: its own source and that of every project module it imports.

A cell is stale when any of these files changes, and a cached feature likewise. Imports are read from
the source, those inside functions too, so nothing is imported to find out.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from relattr.errors import BadInput
from relattr.system.atomic import write_text
from relattr.system.digests import digest_text
from relattr.system.paths import cache_dir

DECIDE_NOTHING = frozenset(
    {
        "relattr",
        "relattr.system.atomic",
        "relattr.dataset",
        "relattr.system.digests",
        "relattr.errors",
        "relattr.system.download",
        "relattr.needs",
        "relattr.system.paths",
        "relattr.progress",
        "relattr.registry",
        "relattr.sources",
        "relattr.system.archive",
        "relattr.system.manifest",
        "relattr.system.http",
    }
)
"""Modules that find, name, fetch and report, but decide no number: a change there makes nothing stale."""


@cache
def sources_of(module: str) -> dict[str, str]:
    """SHA-256 of the source of ``module`` and of each project module it imports, directly or not.

    Project modules are those of relattr, those of the top-level package that ``module`` itself belongs
    to, and those that lie beside it. Raises `BadInput` if ``module`` has no source file.
    """
    found: dict[str, str] = {}
    queue = _with_packages(module)
    family = {"relattr", module.partition(".")[0]}
    while queue:
        name = queue.pop()
        if name in found or (name in DECIDE_NOTHING and name != module):
            continue
        path = _file_of(name)
        if path is None:
            if name == module:
                raise BadInput(
                    f"the source of {name} cannot be found, so its results could not be told from stale ones"
                )
            continue
        source = path.read_bytes().replace(b"\r\n", b"\n")
        found[name] = hashlib.sha256(source).hexdigest()
        for base, what in _imports(name, path, source, found[name]):
            if base.partition(".")[0] in family or _beside(base, path):
                queue.extend(_modules(base, what))
    return dict(sorted(found.items()))


def fingerprint_of(*modules: str) -> str:
    """One digest of all the sources that these modules run."""
    merged: dict[str, str] = {}
    for module in modules:
        merged.update(sources_of(module))
    return digest_text(*(part for pair in sorted(merged.items()) for part in pair))


def _modules(base: str, what: str) -> list[str]:
    """The modules that ``import base`` (no ``what``) or ``from base import what`` runs, packages included."""
    if base == "relattr":
        import relattr

        # its names stand for modules; who imports the package itself, or all of it, may use any of them
        named = set(relattr._WHERE.values()) if what in ("", "*") else {relattr._WHERE.get(what, what)}
        return [f"relattr.{name}" for name in named]
    return _with_packages(f"{base}.{what}".strip(".*"))  # where `what` is no module, _file_of finds none


def _with_packages(name: str) -> list[str]:
    """A module and the packages it lies in: importing it runs them all."""
    parts = name.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _beside(base: str, path: Path) -> bool:
    """Whether an import is of a module in the same folder as the file that imports it (not among all installed)."""
    top = _file_of(base.partition(".")[0])
    if top is None or path.parent.name in ("site-packages", "dist-packages"):
        return False
    return path.parent == (top.parent.parent if top.name == "__init__.py" else top.parent)


@cache
def _file_of(name: str) -> Path | None:
    """The source file of a module; None if it has none or is no module."""
    spec = _spec_of(name)
    return Path(spec.origin) if spec is not None and spec.origin is not None and spec.origin.endswith(".py") else None


@cache
def _spec_of(name: str) -> ModuleSpec | None:
    """Where a module is; unlike `importlib.util.find_spec` this imports no package to look into it."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is not None:
        return spec
    package = name.rpartition(".")[0]
    path = None
    if package:
        outer = _spec_of(package)
        if outer is None or outer.submodule_search_locations is None:
            return None
        path = list(outer.submodule_search_locations)
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(name, path) if find is not None else None
        if spec is not None:
            return spec
    return None


def _imports(name: str, path: Path, source: bytes, digest: str) -> list[tuple[str, str]]:
    """What a source imports, as `_Imports` names it; parsed once per content."""
    known = cache_dir() / "imports" / f"{digest[:32]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"
    try:
        return [(str(base), str(what)) for base, what in json.loads(known.read_text())]
    except (OSError, ValueError, TypeError):
        pass
    visitor = _Imports(name if path.name == "__init__.py" else name.rpartition(".")[0])
    try:
        visitor.visit(ast.parse(source, filename=str(path)))
    except (SyntaxError, ValueError):  # it cannot run; the cells that try will say so
        return []
    found = sorted(visitor.found)
    write_text(known, json.dumps(found))
    return found


class _Imports(ast.NodeVisitor):
    """Collects ``(base, what)`` for each ``from base import what``, ``(base, "")`` for each ``import base``."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: set[tuple[str, str]] = set()

    def visit_If(self, node: ast.If) -> None:
        run: list[ast.stmt] = [*node.body, *node.orelse]
        if _is_type_checking(node.test):  # such imports never run
            run = node.orelse
        elif isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            run = node.body if _is_type_checking(node.test.operand) else run
        for child in run:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.found.update((alias.name, "") for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            base = importlib.util.resolve_name("." * node.level + base, self.package)
        self.found.update((base, alias.name) for alias in node.names)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def files_of(modules: Sequence[str]) -> list[Path]:
    """The source files of these modules, as far as they have one."""
    return [path for path in map(_file_of, modules) if path is not None]


def imports_of(module: str) -> set[str]:
    """What ``module`` and the project modules it runs import, inside functions too: packages of others and these.

    ``from package import name`` gives ``package.name`` as well, which may be no module. The standard library is
    left out.
    """
    found = set(sources_of(module))
    for name, digest in sources_of(module).items():
        for path in files_of([name]):
            for item in _imports(name, path, path.read_bytes().replace(b"\r\n", b"\n"), digest):
                base, what = (item, "") if isinstance(item, str) else item
                found |= {base, f"{base}.{what}".rstrip(".*")}
    return {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names}
