"""Loading plugins for a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.registry import Registry, registry


def load_registry(folders: Sequence[Path]) -> Registry:
    """Load all plugins; those that fail to load are reported on stderr."""
    registry.discover(folders)
    for plugin in registry.broken:
        report_broken(plugin.where, plugin.error)
    return registry


def report_broken(where: str, error: str) -> None:
    """Report a plugin that failed to load on stderr."""
    click.echo(f"plugin {where} could not be loaded and is left out: {error}", err=True)
