"""The files of plugins, and whether they are the same as at an earlier time."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from relattr import __version__
from relattr.system.paths import cache_dir

DECIDES_RESULTS = False

GROUPS = ("relattr.methods", "relattr.datasets")
"""The packages of built-in plugins, and the entry-point groups of others."""

MAX_FILES = 10_000
"""A plugin folder with more files is examined each time: checking whether they changed would take longer."""

Stamps = dict[str, list[int]]
"""Path -> size in bytes and time of modification in ns."""


def cache_file(folders: Iterable[Path], suffix: str = "") -> Path:
    """One file for each installation and set of plugin folders."""
    key = "\n".join([sys.prefix, __file__, *map(str, folders)])
    return cache_dir() / "catalogue" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}{suffix}.json"


def state_of(folders: Iterable[Path]) -> str | None:
    """A digest of everything that decides the catalogue, files of entry points aside; None if that is too much."""
    files: Stamps = {}
    for folder in (Path(__file__).parent, *_builtin_folders(), *folders):
        for path in _files(folder):
            files.update(stamps([path]))
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


def stamps(paths: Iterable[str]) -> Stamps:
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
            distributions.append((name, stamps([os.path.join(folder, name, "entry_points.txt")])))
    return distributions


def entry_point_files() -> list[str]:
    """The source files of the packages whose entry points are plugins."""
    import importlib.metadata

    points = importlib.metadata.entry_points()
    packages = {point.module.partition(".")[0] for group in GROUPS for point in points.select(group=group)}
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
