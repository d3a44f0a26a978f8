"""The catalogue of plugins: what ``relattr list`` prints, cached so that listing does not import any plugin.

The cache is valid as long as relattr, Python, the installed distributions and the files of all plugins (path, size and
time of modification) are the same. Otherwise, or if the cache is damaged, the plugins are imported and it is rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relattr.errors import BadInput
from relattr.plugin_files import cache_file, entry_point_files, stamps, state_of
from relattr.system.cached import read_cached, write_cached


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
    path = cache_file(resolved)
    state = state_of(resolved)
    catalogue = None if state is None else _read(path, state)
    if catalogue is not None:
        return catalogue
    from relattr.discovery import discover_contained
    from relattr.registry import registry

    fresh = registry.is_empty  # a process that has loaded other plugins must not write them to this cache
    external = stamps(entry_point_files()) if fresh else None  # before the import: a later change invalidates it
    discover_contained(registry, folders)
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
        content = {"state": state, "external": external, "catalogue": asdict(catalogue)}
        write_cached(path, json.dumps(content).encode())
    return catalogue


def _read(path: Path, state: str) -> Catalogue | None:
    """The cached catalogue; None if there is none, it is outdated, or the file is damaged."""
    stored = read_cached(path)
    if stored is None:
        return None
    try:
        content = json.loads(stored)
        if content["state"] != state or stamps(content["external"]) != content["external"]:
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
