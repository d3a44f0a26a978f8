"""Which modules of a project decide what a module computes, and their digests; imports are followed statically.

The analysis is static: nothing is imported. Modules of a project are those of relattr, those of the top-level package
of the module in question, and any other module whose file lies neither in the standard library nor among installed
packages.
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
from relattr.identity.imports import UNKNOWN, Note, SourceSummary, summarise_source
from relattr.plugin_files import Stamps, stamps
from relattr.system.digests import digest_text


@dataclass(frozen=True)
class ProjectCode:
    """The modules of a project that importing one of them can run."""

    digests: dict[str, str]
    """By module, sorted."""
    unresolved: frozenset[str]
    """Imported names that could not be found, e.g. on a path added at run time."""
    dynamic_importers: tuple[str, ...]
    """The modules that import others under a fully dynamic name."""


def module_digests(module: str) -> dict[str, str]:
    """Return the digest of ``module`` and of each project module that it imports, directly or not.

    Modules that set ``DECIDES_RESULTS = False`` are left out. Raises `BadInput` if ``module`` has no file.
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
    summary = summary_of(module)
    if summary is None:
        raise BadInput(f"cannot find the source file of {module}")
    return summary.digest


def source_files(modules: Sequence[str]) -> list[Path]:
    """Return the files of these modules, as far as they have one."""
    return [path for path in map(find_file, modules) if path is not None]


def is_of_session(module: str) -> bool:
    """Whether the code of a module is in no file that can be found again, such as that of a notebook."""
    return module == "__main__" or (
        find_file(module) is None and getattr(sys.modules.get(module), "__file__", None) is None
    )


def imported_modules(module: str) -> set[str]:
    """Return what ``module`` and the project modules it runs import, and these modules.

    ``from package import name`` gives ``package.name`` as well, which may not be a module. The standard library is
    left out. Nothing for a module without a file, such as that of a class defined in a notebook.
    """
    if find_file(module) is None:
        return set()
    modules = set(module_digests(module))
    for name in tuple(modules):
        summary = summary_of(name)
        if summary is not None:
            modules |= {base for base, _ in summary.imports}
            modules |= {f"{base}.{imported}".rstrip(".*") for base, imported in summary.imports}
    return {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}


def notes_of(module: str) -> dict[str, tuple[Note, ...]]:
    """Return the lines that cannot be followed, in ``module`` and in the code it runs that is not part of relattr."""
    names = (name for name in module_digests(module) if name == module or not _is_relattr(name))
    summaries = {name: summary_of(name) for name in names}
    return {name: known.notes for name, known in summaries.items() if known is not None and known.notes}


@cache
def project_code(module: str) -> ProjectCode:
    """Follow the imports of ``module`` through the project. Raises `BadInput` if it has no file."""
    if find_file(module) is None:
        raise BadInput(f"cannot find the source file of {module}, so a change in it could not make its results stale")
    digests: dict[str, str] = {}
    unresolved: set[str] = set()
    dynamic_importers: list[str] = []
    top_package = module.partition(".")[0]
    queue = _with_parents(module)
    visited: set[str] = set()
    while queue:
        name = queue.pop()
        if name in visited:
            continue
        visited.add(name)
        summary = summary_of(name)
        if summary is None:
            if _spec_of(name) is None:
                unresolved.add(name)
        elif name == module or decides_results(name):
            digests[name] = summary.digest
            queue.extend(_dependencies(name, top_package))
            if UNKNOWN in summary.prefixes:
                dynamic_importers.append(name)
    return ProjectCode(dict(sorted(digests.items())), frozenset(unresolved), tuple(sorted(dynamic_importers)))


@cache
def _dependencies(name: str, top_package: str) -> frozenset[str]:
    """Return the names that a module imports and that may be modules of the project."""
    summary = summary_of(name)
    names: set[str] = set()
    for base, imported in summary.imports if summary is not None else ():
        if is_project_module(base, top_package):
            names.update(_imported(base, imported))
        elif _spec_of(base.partition(".")[0]) is None:
            names.add(base)
    for prefix in summary.prefixes if summary is not None else ():
        if prefix != UNKNOWN:
            names.update(_modules_with_prefix(prefix, name, top_package))
    return frozenset(names)


@cache
def decides_results(name: str) -> bool:
    """Whether a module counts: False for one that says it does not, or that lies in a package that says so.

    A package of relattr that only re-exports names does not count either; what is imported from it does.
    """
    if not _is_relattr(name):
        return True
    for package in _with_parents(name)[1:]:
        summary = summary_of(package)
        if summary is not None and not summary.decides_results:
            return False
    summary, path = summary_of(name), find_file(name)
    return not (
        summary is not None and summary.reexports is not None and path is not None and path.name == "__init__.py"
    )


def is_project_module(name: str, top_package: str) -> bool:
    """Whether a module is part of relattr, of the package ``top_package``, or not installed like a library."""
    top = name.partition(".")[0]
    if top in ("relattr", top_package):
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
    spec = _spec_of(name) if name != "__main__" else None  # a __main__.py found by name is that of another program
    if spec is None or spec.origin is None or not spec.has_location or not os.path.isfile(spec.origin):
        return None
    return Path(spec.origin)


@cache
def summary_of(name: str) -> SourceSummary | None:
    """Return the summary of a module's file; None if it has none."""
    path = find_file(name)
    if path is None:
        return None
    _read.update(stamps([str(path)]))
    try:
        return summarise_source(path, name)
    except OSError:
        return None


_read: Stamps = {}
"""The files whose content is in a cache, as they were before they were read."""


def clear_outdated_caches() -> None:
    """Clear all caches if a file has changed since it was read."""
    if stamps(_read) != _read:
        clear_caches()


def clear_caches() -> None:
    """Clear all caches."""
    _read.clear()
    _is_outside_libraries.cache_clear()
    for function in (project_code, _dependencies, decides_results, find_file, summary_of, _spec_of):
        function.cache_clear()


def _is_relattr(name: str) -> bool:
    """Whether a module is part of relattr itself, and not one of its plugins."""
    return name.partition(".")[0] == "relattr" and not f"{name}.".startswith(("relattr.methods.", "relattr.datasets."))


def _imported(base: str, name: str) -> Iterable[str]:
    """Return the modules that ``import base`` (no ``name``) or ``from base import name`` runs, packages included."""
    summary = summary_of(base)
    if summary is None:
        return _with_parents(f"{base}.{name}".strip(".*"))  # `find_file` knows which of them are modules
    if _is_relattr(base) and summary.reexports is not None:
        wanted = summary.reexports if name in ("", "*") else {name}
        modules: set[str] = set()
        for export in wanted:
            source, original = summary.reexports.get(export, (base, export))
            modules.update(_with_parents(f"{base}.{original}") if source == base else _imported(source, original))
        return modules
    modules = set(_with_parents(base))
    if name == "*":
        modules |= {f"{base}.{export}" for export in summary.exports or ()}
        if summary.has_computed_exports:
            modules |= set(_submodules(base))
    elif name:
        modules.add(f"{base}.{name}")
    return modules


def _with_parents(name: str) -> list[str]:
    """Return a module and the packages it lies in: importing it runs them all."""
    parts = name.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _modules_with_prefix(prefix: str, importer: str, top_package: str) -> Iterator[str]:
    """Return the modules whose name starts like this, in its package or beside the module that imports them."""
    package, dot, _ = prefix.rpartition(".")
    if dot:
        if is_project_module(package, top_package):
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
