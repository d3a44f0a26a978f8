"""Which project code a module runs: its own source and that of every project module it imports.

A cell is stale when any of these files changes, and a cached feature likewise. Imports are read from
the source, those inside functions too, so nothing heavy is imported to find out.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from relattr.atomic import write_text
from relattr.digests import digest_text
from relattr.errors import BadInput
from relattr.paths import cache_dir

DECIDE_NOTHING = frozenset(
    {
        "relattr", "relattr.atomic", "relattr.dataset", "relattr.digests", "relattr.errors", "relattr.fetch",
        "relattr.needs", "relattr.paths", "relattr.progress", "relattr.registry", "relattr.sources",
    }
)  # fmt: skip
"""Modules that find, name, fetch and report, but decide no number: a change there makes nothing stale."""


@cache
def sources_of(module: str) -> dict[str, str]:
    """SHA-256 of the source of ``module`` and of each project module it imports, directly or not.

    Project modules are those of relattr and those of the top-level package or folder that ``module``
    itself belongs to. Raises `BadInput` if ``module`` has no source file.
    """
    found: dict[str, str] = {}
    queue = [module]
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
        for imported in _imports(name, path, source, found[name]):
            if imported.partition(".")[0] in family or (path.parent / f"{imported}.py").exists():
                queue.extend(_with_packages(imported))
    return dict(sorted(found.items()))


def fingerprint_of(*modules: str) -> str:
    """One digest of all the sources that these modules run."""
    merged: dict[str, str] = {}
    for module in modules:
        merged.update(sources_of(module))
    return digest_text(*(part for pair in sorted(merged.items()) for part in pair))


def _with_packages(name: str) -> list[str]:
    """A module and the packages it lies in: importing it runs them all."""
    parts = name.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


@cache
def _file_of(name: str) -> Path | None:
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec is not None else None
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _imports(name: str, path: Path, source: bytes, digest: str) -> list[str]:
    """Absolute names of what a source imports; parsed once per content."""
    known = cache_dir() / "imports" / f"{digest[:32]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"
    try:
        remembered = json.loads(known.read_text())
        if isinstance(remembered, list):
            return [str(item) for item in remembered]
    except (OSError, ValueError):
        pass
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = _Imports(package)
    found.visit(ast.parse(source, filename=str(path)))
    names = sorted(found.names)
    write_text(known, json.dumps(names))
    return names


class _Imports(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.package = package
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.dump(node.test):  # such imports never run
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            base = importlib.util.resolve_name("." * node.level + base, self.package)
        for alias in node.names:
            self.names.update(_resolve(base, alias.name))


def _resolve(base: str, name: str) -> list[str]:
    """The modules behind ``from base import name``."""
    if base == "relattr":
        import relattr

        return [f"relattr.{relattr._WHERE.get(name, name)}"]
    if base.startswith("relattr.") and _file_of(f"{base}.{name}") is not None:
        return [base, f"{base}.{name}"]
    return [base, f"{base}.{name}"] if not base.startswith("relattr") else [base]


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
