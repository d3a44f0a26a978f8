"""The catalogue of plugins: what ``relattr list`` prints, cached so that listing does not import any plugin.

The cache is valid as long as relattr, Python, the installed distributions and the files of all plugins (path, size and
time of modification) are the same. Otherwise, or if the cache is damaged, the plugins are imported and it is rewritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relattr import __version__
from relattr.errors import BadInput
from relattr.system.atomic import write_text
from relattr.system.paths import cache_dir

GROUPS = ("relattr.methods", "relattr.datasets")
"""The packages of built-in plugins, and the entry-point groups of others."""

MAX_FILES = 10_000
"""A plugin folder with more files is imported each time: checking whether they changed would take longer."""

Stamps = dict[str, list[int]]
"""Path -> size in bytes and time of modification in ns."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One row of ``relattr list``."""

    name: str
    label: str
    summary: str
    origin: str
    """The module that registers it."""


@dataclass(frozen=True)
class Catalogue:
    """All methods and datasets, including published rows, and (where, error) of each plugin that failed to load."""

    methods: tuple[CatalogueEntry, ...]
    datasets: tuple[CatalogueEntry, ...]
    broken: tuple[tuple[str, str], ...]


def load_catalogue(folders: Sequence[Path] = ()) -> Catalogue:
    """The catalogue of the built-in plugins, those of installed packages and those in ``folders``.

    Raises `BadInput` if one of the folders does not exist.
    """
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"--plugins {folder} is not a folder")
    resolved = [folder.resolve() for folder in folders]
    path = _cache_file(resolved)
    state = _state(resolved)
    catalogue = None if state is None else _read(path, state)
    if catalogue is not None:
        return catalogue
    from relattr.registry import registry

    fresh = registry.is_empty  # a process that has loaded other plugins must not write them to this cache
    external = _stamps(_entry_point_files()) if fresh else None  # before the import: a later change invalidates it
    registry.discover(folders)
    catalogue = Catalogue(
        methods=(
            *(CatalogueEntry(p.name, p.label, p.summary, p.module) for p in registry.methods.values()),
            *(
                CatalogueEntry(c.name, c.label, f"Published only: {c.reason}", c.module)
                for c in registry.constants.values()
            ),
        ),
        datasets=tuple(CatalogueEntry(p.name, p.label, p.summary, p.module) for p in registry.datasets.values()),
        broken=tuple((plugin.where, plugin.error) for plugin in registry.broken),
    )
    if state is not None and external is not None:
        with contextlib.suppress(OSError):  # a read-only cache only makes listing slower
            write_text(path, json.dumps({"state": state, "external": external, "catalogue": asdict(catalogue)}))
    return catalogue


def _cache_file(folders: Iterable[Path]) -> Path:
    """One file for each installation and set of plugin folders."""
    key = "\n".join([sys.prefix, __file__, *map(str, folders)])
    return cache_dir() / "catalogue" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _read(path: Path, state: str) -> Catalogue | None:
    """The cached catalogue; None if there is none, it is outdated, or the file is damaged."""
    try:
        content = json.loads(path.read_bytes())
        if content["state"] != state or _stamps(content["external"]) != content["external"]:
            return None
        catalogue = content["catalogue"]
        return Catalogue(
            methods=tuple(CatalogueEntry(**_strings(entry)) for entry in catalogue["methods"]),
            datasets=tuple(CatalogueEntry(**_strings(entry)) for entry in catalogue["datasets"]),
            broken=tuple((str(where), str(error)) for where, error in catalogue["broken"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _strings(entry: dict[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in entry.values()):
        raise TypeError("a catalogue entry has a value that is not a string")
    return entry


def _state(folders: Iterable[Path]) -> str | None:
    """A digest of everything that decides the catalogue, files of entry points aside; None if that is too much."""
    files: Stamps = {}
    for folder in (Path(__file__).parent, *_builtin_folders(), *folders):
        for path in _files(folder):
            files.update(_stamps([path]))
            if len(files) > MAX_FILES:
                return None
    state = [__version__, sys.version, sorted(files.items()), _distributions()]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _builtin_folders() -> Iterator[Path]:
    for package in GROUPS:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            yield Path(folder)


def _files(folder: Path) -> Iterator[str]:
    """All files below a folder, except byte code and hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _stamps(paths: Iterable[str]) -> Stamps:
    """The size and time of modification of each file; -1 for a file that does not exist."""
    stamps: Stamps = {}
    for path in paths:
        try:
            stat = os.stat(path)
            stamps[path] = [stat.st_size, stat.st_mtime_ns]
        except OSError:
            stamps[path] = [-1, -1]
    return stamps


def _distributions() -> list[tuple[str, Stamps]]:
    """The installed distributions by folder name, which has the version, and the stamps of their entry points.

    The folders are read directly: `importlib.metadata` alone takes 40 ms to import.
    """
    distributions = []
    for folder in sys.path:
        try:
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue
        for name in names:
            distributions.append((name, _stamps([os.path.join(folder, name, "entry_points.txt")])))
    return distributions


def _entry_point_files() -> list[str]:
    """The source files of the packages whose entry points are plugins."""
    import importlib.metadata

    packages = {
        point.module.partition(".")[0] for group in GROUPS for point in importlib.metadata.entry_points(group=group)
    }
    files: list[str] = []
    for package in sorted(packages):
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            continue
        if spec is not None and spec.origin is not None:
            files.append(spec.origin)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            files += [path for path in _files(Path(folder)) if path.endswith(".py")]
    return files
