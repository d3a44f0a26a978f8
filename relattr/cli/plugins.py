"""Loading plugins for a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relattr.cli.output import echo
from relattr.discovery import discover_contained
from relattr.plugin_answers import contain_answers
from relattr.registry import Registry, registry


def load_registry(folders: Sequence[Path], *, contained: bool = True) -> Registry:
    """Load all plugins; those that fail to load are reported on stderr.

    ``contained``: what datasets and methods say about themselves is asked in another process.
    """
    discover_contained(registry, folders)
    if contained:
        contain_answers(registry)
    for plugin in registry.broken:
        report_broken(plugin.where, plugin.error)
    return registry


def report_broken(where: str, error: str) -> None:
    """Report a plugin that failed to load on stderr."""
    echo(f"plugin {where} could not be loaded and is left out: {error}", err=True)
