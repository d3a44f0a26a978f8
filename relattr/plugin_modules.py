"""Where plugins are: modules of this project, files of plugin folders, and entry points of installed packages.

The entry-point groups are ``relattr.methods`` and ``relattr.datasets``. A plugin folder is imported as a package, so
its files can share helpers: ``from ._helper import ...``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import itertools
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path

from relattr.errors import BadInput
from relattr.plugin_files import GROUPS
from relattr.system.reading import MAX_SETTINGS, require_regular

DECIDES_RESULTS = False

FOLDER_PREFIX = "relattr_plugins_"
"""Begins the name of the package as which a plugin folder is imported."""

Candidate = tuple[str, Callable[[], object]]
"""The place of a plugin, as messages show it, and what imports it."""


def find_plugins(folders: Iterable[Path] = ()) -> list[Candidate]:
    """The plugins of this project, of installed packages, and of these folders, each once. Nothing is imported here.

    Raises `BadInput` if one of the folders does not exist.
    """
    found: dict[str, Callable[[], object]] = {}
    points = importlib.metadata.entry_points()  # once: it reads the metadata of every installed distribution
    for package in GROUPS:
        found.update(modules_of(package))
        for point in points.select(group=package):
            found[f"entry point {point.name} = {point.value}"] = point.load
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"--plugins {folder} is not a folder")
        found.update(modules_of(_package_of(folder.resolve())))
    return list(found.items())


def modules_of(package: str) -> Iterator[Candidate]:
    """The plugins that are modules of a package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise BadInput(f"{package} is not installed; install relattr with 'pip install .' or 'pip install -e .'")
    for module in pkgutil.iter_modules(list(spec.submodule_search_locations)):
        if not module.name.startswith("_"):
            name = f"{package}.{module.name}"
            path = Path(getattr(module.module_finder, "path", "")) / module.name
            file = path / "__init__.py" if module.ispkg else path.with_name(module.name + ".py")
            yield f"{name} ({path if module.ispkg else file})", partial(_import_file, name, file)


def _import_file(name: str, file: Path) -> object:
    """Import a module. Raises OSError if its file is, for example, a pipe, or too large to compile in a minute."""
    if file.exists():  # it may be an extension module
        require_regular(file, MAX_SETTINGS)
    return importlib.import_module(name)


def is_imported(module: str) -> bool:
    """Whether a module and its parent packages are imported; Python removes modules whose import failed."""
    parts = module.split(".")
    return all(".".join(parts[: k + 1]) in sys.modules for k in range(len(parts)))


def plugin_packages() -> dict[str, Path]:
    """The packages as which plugin folders are imported, and the folders."""
    names = (name for name in sys.modules if name.startswith(FOLDER_PREFIX) and "." not in name)
    return {name: Path(next(iter(sys.modules[name].__path__))) for name in names}


def forget_modules(package: str) -> None:
    """Remove the modules of a plugin folder, so that the next import reads their files again."""
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        del sys.modules[name]
    _add_package(package, plugin_packages()[package])  # the old one has the old modules as attributes


def _package_of(folder: Path) -> str:
    """Import a plugin folder as a package and return its name, which does not depend on the folder's parent."""
    stem = FOLDER_PREFIX + re.sub(r"\W", "_", folder.name)
    for name in itertools.chain([stem], (f"{stem}_{k}" for k in itertools.count(2))):
        if name not in sys.modules:
            _add_package(name, folder)
        if list(sys.modules[name].__path__) == [str(folder)]:
            return name
    raise AssertionError("unreachable")


def _add_package(name: str, folder: Path) -> None:
    """Import a folder as an empty package of this name."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[name] = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()  # its files may be newer than the cached directory listing
