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
@click.argument("names", nargs=-1, metavar="[NAME]...")
@plugins_option
def command(kind: str, names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """List the methods, datasets or benchmarks; with a NAME, all about it, its parameters and their defaults.

    \b
    relattr list methods
    relattr list methods viralnet
    relattr list datasets 'osr*'

    Includes the built-in plugins, those of installed packages (entry-point groups relattr.methods and
    relattr.datasets) and those in --plugins DIR.
    """
    if names and kind in ("methods", "datasets"):
        _print_details(kind, names, plugin_folders)
        return
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


def _print_details(kind: str, names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    from relattr.cli.details import print_dataset, print_method
    from relattr.cli.plugins import load_registry
    from relattr.registry import match_names

    registry = load_registry(plugin_folders)
    if kind == "methods":
        for name in match_names(registry.methods, names, "method"):
            print_method(registry.methods[name])
    else:
        for name in match_names(registry.datasets, names, "dataset"):
            print_dataset(registry.datasets[name])
