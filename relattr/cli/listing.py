"""``relattr list``: what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import columns, load_registry, plugins_option
from relattr.harness import benchmark as benchmarks


@click.command("list")
@click.argument("what", type=click.Choice(["methods", "datasets", "benchmarks"]))
@plugins_option
def list_plugins(what: str, plugin_folders: Sequence[Path]) -> None:
    """List the methods, datasets or benchmarks.

    Built-in plugins, those of installed packages (entry-point groups relattr.methods and
    relattr.datasets) and those in --plugins DIR are listed alike.
    """
    if what == "benchmarks":
        rows = [(name, benchmarks.load(name).title) for name in benchmarks.names()]
    else:
        registry = load_registry(plugin_folders)
        entries = registry.methods if what == "methods" else registry.datasets
        rows = [(name, entry.label, entry.summary) for name, entry in entries.items()]  # type: ignore[misc]
        if what == "methods":
            rows += [(c.name, c.label, f"Published only: {c.reason}") for c in registry.constants.values()]  # type: ignore[misc]
    click.echo(columns(rows))
