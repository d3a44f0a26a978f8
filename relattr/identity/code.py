"""Which modules of a project decide what a module computes, and their digests; imports are followed statically.

Nothing is imported for this. Modules of a project are those of relattr, those of the top-level package of the module
in question, and any other module whose file lies neither in the standard library nor among installed packages.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from relattr.errors import BadInput
from relattr.identity.imports import UNKNOWN, Note, SourceFacts, read_facts
from relattr.system.digests import digest_text


@dataclass(frozen=True)
class ProjectCode:
    """The modules of a project that importing one of them can run."""

    digests: dict[str, str]
    """By module, sorted."""
    unresolved: frozenset[str]
    """Imported names that could not be found: of modules on a path that is only added when the code runs."""
    computes_names: tuple[str, ...]
    """The modules that import others under a name of which nothing is known before they run."""


def module_digests(module: str) -> dict[str, str]:
    """Return the digest of ``module`` and of each project module that it imports, directly or not.

    Modules that say ``DECIDES_RESULTS = False`` are left out. Raises `BadInput` if ``module`` has no file.
    """
    return project_code(module).digests


def code_digest(*modules: str) -> str:
    """Return one digest of everything that these modules run, for the keys of caches."""
    merged: dict[str, str] = {}
    for module in modules:
        merged.update(module_digests(module))
    return digest_text(*(part for pair in sorted(merged.items()) for part in pair))


def source_digest(module: str) -> str:
    """Return the digest of one module without what it imports. Raises `BadInput` if it has no file."""
    facts = find_facts(module)
    if facts is None:
        raise BadInput(f"cannot find the source file of {module}")
    return facts.digest


def source_files(modules: Sequence[str]) -> list[Path]:
    """Return the files of these modules, as far as they have one."""
    return [path for path in map(find_file, modules) if path is not None]


def imported_modules(module: str) -> set[str]:
    """Return what ``module`` and the project modules it runs import, and these modules.

    ``from package import name`` gives ``package.name`` as well, which may not be a module. The standard library is
    left out.
    """
    modules = set(module_digests(module))
    for name in tuple(modules):
        facts = find_facts(name)
        if facts is not None:
            modules |= {base for base, _ in facts.imports}
            modules |= {f"{base}.{imported}".rstrip(".*") for base, imported in facts.imports}
    return {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}


def notes_of(module: str) -> dict[str, tuple[Note, ...]]:
    """Return the lines that cannot be followed, in ``module`` and in the code it runs that is not part of relattr."""
    names = (name for name in module_digests(module) if name == module or not _is_relattr(name))
    facts = {name: find_facts(name) for name in names}
    return {name: known.notes for name, known in facts.items() if known is not None and known.notes}


@cache
def project_code(module: str) -> ProjectCode:
    """Follow the imports of ``module`` through the project. Raises `BadInput` if it has no file."""
    if find_file(module) is None:
        raise BadInput(f"cannot find the source file of {module}, so a change in it could not make its results stale")
    digests: dict[str, str] = {}
    unresolved: set[str] = set()
    computes_names: list[str] = []
    family = module.partition(".")[0]
    queue = _with_parents(module)
    visited: set[str] = set()
    while queue:
        name = queue.pop()
        if name in visited:
            continue
        visited.add(name)
        facts = find_facts(name)
        if facts is None:
            if _spec_of(name) is None:
                unresolved.add(name)
        elif name == module or decides_results(name):
            digests[name] = facts.digest
            queue.extend(_dependencies(name, family))
            if UNKNOWN in facts.prefixes:
                computes_names.append(name)
    return ProjectCode(dict(sorted(digests.items())), frozenset(unresolved), tuple(sorted(computes_names)))


@cache
def _dependencies(name: str, family: str) -> frozenset[str]:
    """Return the names that a module imports and that may be modules of the project."""
    facts = find_facts(name)
    names: set[str] = set()
    for base, imported in facts.imports if facts is not None else ():
        if is_project_module(base, family):
            names.update(_imported(base, imported))
        elif _spec_of(base.partition(".")[0]) is None:
            names.add(base)
    for prefix in facts.prefixes if facts is not None else ():
        if prefix != UNKNOWN:
            names.update(_modules_with_prefix(prefix, name, family))
    return frozenset(names)


@cache
def decides_results(name: str) -> bool:
    """Whether a module counts: False for one that says it does not, or that lies in a package that says so.

    A package of relattr that only re-exports names does not count either; what is imported from it does.
    """
    if not _is_relattr(name):
        return True
    for package in _with_parents(name)[1:]:
        facts = find_facts(package)
        if facts is not None and not facts.decides_results:
            return False
    facts, path = find_facts(name), find_file(name)
    return not (facts is not None and facts.reexports is not None and path is not None and path.name == "__init__.py")


def is_project_module(name: str, family: str) -> bool:
    """Whether a module is part of relattr, of the package ``family``, or not installed like a library."""
    top = name.partition(".")[0]
    if top in ("relattr", family):
        return True
    return top not in sys.stdlib_module_names and _is_outside_libraries(top)


def is_library_file(path: str) -> bool:
    """Whether a file is part of the standard library or of an installed package."""
    if "site-packages" in path or "dist-packages" in path:
        return True
    return any(path.startswith(folder) for folder in _standard_library())


@cache
def find_file(name: str) -> Path | None:
    """Return the file of a module: its source, or what it was compiled to; None if it has none or does not exist."""
    spec = _spec_of(name)
    if spec is None or spec.origin is None or not spec.has_location or not os.path.isfile(spec.origin):
        return None
    return Path(spec.origin)


@cache
def find_facts(name: str) -> SourceFacts | None:
    """Return the facts of a module's file; None if it has none."""
    path = find_file(name)
    try:
        return None if path is None else read_facts(path, name)
    except OSError:
        return None


def clear_caches() -> None:
    """Forget everything that was read; files are read again when they are next asked for."""
    _is_outside_libraries.cache_clear()
    for function in (project_code, _dependencies, decides_results, find_file, find_facts, _spec_of):
        function.cache_clear()


def _is_relattr(name: str) -> bool:
    """Whether a module is part of relattr itself, and not one of its plugins."""
    return name.partition(".")[0] == "relattr" and not f"{name}.".startswith(("relattr.methods.", "relattr.datasets."))


def _imported(base: str, name: str) -> Iterable[str]:
    """Return the modules that ``import base`` (no ``name``) or ``from base import name`` runs, packages included."""
    facts = find_facts(base)
    if facts is None:
        return _with_parents(f"{base}.{name}".strip(".*"))  # `find_file` knows which of them are modules
    if _is_relattr(base) and facts.reexports is not None:
        wanted = facts.reexports if name in ("", "*") else {name}
        modules: set[str] = set()
        for export in wanted:
            source, original = facts.reexports.get(export, (base, export))
            modules.update(_with_parents(f"{base}.{original}") if source == base else _imported(source, original))
        return modules
    modules = set(_with_parents(base))
    if name == "*":
        modules |= {f"{base}.{export}" for export in facts.exports or ()}
        if facts.has_computed_exports:
            modules |= set(_submodules(base))
    elif name:
        modules.add(f"{base}.{name}")
    return modules


def _with_parents(name: str) -> list[str]:
    """Return a module and the packages it lies in: importing it runs them all."""
    parts = name.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _modules_with_prefix(prefix: str, importer: str, family: str) -> Iterator[str]:
    """Return the modules whose name starts like this, in its package or beside the module that imports them."""
    package, dot, _ = prefix.rpartition(".")
    if dot:
        if is_project_module(package, family):
            yield from _with_parents(package)
            yield from (name for name in _submodules(package) if name.startswith(prefix))
        return
    path = find_file(importer)
    folder = None if path is None else str(path.parent)
    for module in pkgutil.iter_modules([folder] if folder else []):
        if module.name.startswith(prefix):
            yield module.name


def _submodules(package: str) -> list[str]:
    spec = _spec_of(package)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [f"{package}.{module.name}" for module in pkgutil.iter_modules(list(spec.submodule_search_locations))]


@cache
def _spec_of(name: str) -> ModuleSpec | None:
    """Return where a module is; unlike `importlib.util.find_spec` this imports no package to find out."""
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
        try:
            spec = find(name, path) if find is not None else None
        except KeyError:  # a folder without __init__.py in a package that is not imported
            spec = _folder_spec(name, path or [])
        if spec is not None:
            return spec
    return None


def _folder_spec(name: str, path: Sequence[str]) -> ModuleSpec:
    """Return the spec of a package without ``__init__.py``."""
    spec = ModuleSpec(name, None, is_package=True)
    folders = (os.path.join(place, name.rpartition(".")[2]) for place in path)
    spec.submodule_search_locations = [folder for folder in folders if os.path.isdir(folder)]
    return spec


@cache
def _is_outside_libraries(top: str) -> bool:
    """Whether a top-level module exists as a file or folder outside the standard library and installed packages."""
    spec = _spec_of(top)
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return bool(places) and not any(is_library_file(place) for place in places if place)


@cache
def _standard_library() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({os.path.join(os.path.realpath(paths[key]), "") for key in ("stdlib", "platstdlib")})
