"""``relattr list``: the plugins and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.options import plugins_option
from relattr.cli.output import echo
from relattr.cli.text_table import print_table


@click.command("list")
@click.argument("kind", type=click.Choice(["methods", "datasets", "benchmarks"]))
@plugins_option
def command(kind: str, plugin_folders: Sequence[Path]) -> None:
    """List the methods, datasets or benchmarks.

    Includes the built-in plugins, those of installed packages (entry-point groups relattr.methods and
    relattr.datasets) and those in --plugins DIR.
    """
    if kind == "benchmarks":
        from relattr.harness.benchmark import benchmark_names, load_benchmark

        print_table(["name", "title"], [(name, load_benchmark(name).title) for name in benchmark_names()])
        return
    from relattr.catalogue import load_catalogue

    catalogue = load_catalogue(plugin_folders)
    for where, error in catalogue.broken:
        echo(f"plugin {where} could not be loaded and is left out: {error}", err=True)
    entries = catalogue.methods if kind == "methods" else catalogue.datasets
    print_table(["name", "label", "summary"], [(entry.name, entry.label, entry.summary) for entry in entries])
