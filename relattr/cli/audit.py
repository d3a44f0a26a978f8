"""``relattr audit``: leaks and contradictions in datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import load_registry, plugins_option, results_option
from relattr.harness.plan import parse_settings
from relattr.registry import matching


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="DATASET...")
@results_option
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="With this parameter. May be repeated.")
@plugins_option
def audit(names: Sequence[str], results: Path, settings: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Look for leaks and contradictions in each DATASET, whatever it says of itself.

    Images shared by training and test, by number and by content; images that are there twice; labels
    that follow the side; pairs both ways, repeated, or against each other. What it finds is kept in the
    results folder, and its leaks stand in every table from then on. Exit code 1 if there is a leak.
    """
    from relattr import parameters
    from relattr.audit import kept_audit
    from relattr.cli.progress import bars

    registry = load_registry(plugin_folders)
    leaks = 0
    for name in matching(registry.datasets, names, "dataset"):
        dataset = registry.dataset(name).create(parse_settings(settings))
        with bars():
            made = kept_audit(results, dataset, parameters.values_of(dataset), again=True)
        for observation in made.observations:
            leaks += observation.severity == "leak"
            click.echo(str(observation))
        if not made.observations:
            click.echo(f"{name}: nothing found")
    if leaks:
        raise click.exceptions.Exit(1)
