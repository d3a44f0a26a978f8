"""Project modules loaded at run time that static analysis missed.

A module may be imported under a computed name, or from a folder that the code adds to ``sys.path`` while it runs. When
a cell ends, `sys.modules` contains it. It is added to the fingerprint as ``code <module>`` if its file can be found by
name, else as ``loaded <plugin> <path>``, with a path relative to the file of the plugin's module.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from relattr.identity.code import ProjectCode, decides_results, find_file, is_library_file, project_code, summary_of
from relattr.identity.imports import summarise_source
from relattr.system.paths import cache_dir

CHANGED = "changed while it ran"
"""Stands for the digest of a file that changed during the cell, so that no later digest matches."""


class LoadedModules:
    """Records which modules a cell loads, from its start on."""

    def __init__(self) -> None:
        self._last_before = next(reversed(sys.modules))
        self._started = time.time_ns()

    def fingerprints(self, known: Mapping[str, str], *plugins: str) -> dict[str, str]:
        """Return the digests of project modules that were loaded and are not ``known``; see the module docstring.

        ``plugins`` are the modules of the cell's method and dataset; one without a file is left out.
        """
        digests: dict[str, str] = {}
        plugins = tuple(plugin for plugin in plugins if find_file(plugin) is not None)
        if not plugins:
            return {}
        codes = {plugin: project_code(plugin) for plugin in plugins}
        top_packages = {"relattr", *(plugin.partition(".")[0] for plugin in plugins)}
        folders = {plugin: str(path.parent) for plugin in plugins if (path := find_file(plugin)) is not None}
        queue = list(self._candidates([*codes.values()]))
        visited: set[str] = set()
        while queue:
            name = queue.pop()
            path = _file_of(name)
            if name in visited or path is None or f"code {name}" in known:
                continue
            visited.add(name)
            is_in_package = name.partition(".")[0] in top_packages
            if not (decides_results(name) if is_in_package else self._is_project_file(path, folders.values())):
                continue
            key = f"code {name}" if is_in_package else _key_by_path(path, folders)
            try:
                summary = summarise_source(path, name)
                is_changed = self._is_new(path)
            except OSError:
                continue
            digests[key] = CHANGED if is_changed else summary.digest
            for base, imported in summary.imports:
                queue += [base, f"{base}.{imported}"]
        return dict(sorted(digests.items()))

    def _candidates(self, codes: list[ProjectCode]) -> Iterator[str]:
        """Yield the modules that the cell may have loaded without a static import of them."""
        packages = {importer.rpartition(".")[0] for code in codes for importer in code.dynamic_importers}
        # from the end: reading the names of thousands of modules copies the memory pages that hold them
        new = list(itertools.takewhile(lambda name: name != self._last_before, reversed(sys.modules)))
        if packages:  # another cell, or the import of a plugin, may have loaded it before
            yield from new
            yield from (
                name
                for name in list(sys.modules)
                if name.partition(".")[0] != "relattr" or name.rpartition(".")[0] in packages
            )
        else:
            yield from (name for name in new if name.partition(".")[0] != "relattr")
        for code in codes:
            yield from (name for name in code.unresolved if name in sys.modules)

    def _is_project_file(self, path: Path, folders: Iterable[str]) -> bool:
        """Whether a file is code of the project: not of a library, and not generated while the cell ran."""
        text = os.path.abspath(path)
        if is_library_file(text):
            return False
        if any(_lies_in(text, folder) for folder in folders):
            return True
        is_generated = self._is_new(path) and _lies_in(text, tempfile.gettempdir())
        return not is_generated and not _lies_in(text, str(cache_dir()))

    def _is_new(self, path: Path) -> bool:
        """Whether a file was written, or anything about it changed, since the cell started.

        Its modification time does not say so: programs that unpack or copy files set it, to one in the future too.
        """
        return path.stat().st_ctime_ns > self._started


def current_digest(key: str) -> str | None:
    """Return the digest that a key of a stored fingerprint has now; None if its file does not exist any more.

    ``key`` is ``code <module>`` or ``loaded <plugin> <path>``.
    """
    kind, _, rest = key.partition(" ")
    if kind == "code":
        summary = summary_of(rest)
        return None if summary is None else summary.digest
    plugin, _, relative = rest.partition(" ")
    plugin_path = find_file(plugin)
    if plugin_path is None:
        return None
    path = Path(os.path.normpath(plugin_path.parent / relative))
    try:
        return summarise_source(path, path.stem).digest
    except OSError:
        return None


def is_code(key: str) -> bool:
    """Whether a key of a fingerprint is of a module."""
    return key.startswith(("code ", "loaded "))


def _file_of(name: str) -> Path | None:
    """Return the file that a loaded module came from; None for one without a file, or that is not loaded."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None)
    if name in ("__main__", "__mp_main__") or not isinstance(origin, str) or not os.path.isfile(origin):
        return None
    return Path(origin)


def _lies_in(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(os.path.abspath(folder), ""))


def _key_by_path(path: Path, folders: Mapping[str, str]) -> str:
    """Name a file by its path relative to the nearest of the plugins."""
    relative = {plugin: os.path.relpath(path, folder).replace(os.sep, "/") for plugin, folder in folders.items()}
    plugin = min(relative, key=lambda name: (relative[name].count("../"), len(relative[name]), name))
    return f"loaded {plugin} {relative[plugin]}"
