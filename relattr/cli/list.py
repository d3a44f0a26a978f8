"""``relattr list``: the plugins, benchmarks and backbones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.options import plugins_option
from relattr.cli.output import echo
from relattr.cli.text_table import print_table
from relattr.errors import MAYBE_PLUGIN


@click.command("list")
@click.argument("kind", type=click.Choice(["methods", "datasets", "benchmarks", "backbones"]))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@plugins_option
def command(kind: str, names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """List the methods, datasets, benchmarks or backbones.

    With a NAME, show its details: parameters with their defaults, and what is missing here.

    \b
    relattr list methods
    relattr list methods viralnet
    relattr list datasets 'osr*'
    relattr list backbones
    relattr list backbones vit_b_16

    Includes the built-in plugins, those of installed packages (entry-point groups relattr.methods and
    relattr.datasets) and those in --plugins DIR. Backbones are pretrained networks; the list says whether their weights
    are here, and where they come from.
    """
    if names and kind in ("methods", "datasets"):
        _print_details(kind, names, plugin_folders)
        return
    if kind == "backbones":
        _print_backbones(names, plugin_folders)
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
    from relattr.name_patterns import match_names

    registry = load_registry(plugin_folders)
    if kind == "methods":
        for name in match_names(registry.methods, names, "method", MAYBE_PLUGIN):
            print_method(registry.methods[name])
    else:
        for name in match_names(registry.datasets, names, "dataset", MAYBE_PLUGIN):
            print_dataset(registry.datasets[name])


def _print_backbones(names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    from relattr.cli.backbones import print_backbone_details, print_backbones
    from relattr.cli.plugins import load_registry

    load_registry(plugin_folders)  # plugins register backbones
    if names:
        print_backbone_details(names)
    else:
        print_backbones()
