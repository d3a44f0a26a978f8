"""``relattr audit``: leaks and contradictions in datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import OneByOne, load_registry, plugins_option, results_option
from relattr.harness.selection import parse_settings
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
    from relattr.cli.progress import bars
    from relattr.report.tables.audits import cached_audit

    registry, values = load_registry(plugin_folders), parse_settings(settings)
    chosen = {name: registry.dataset(name).create(values) for name in matching(registry.datasets, names, "dataset")}
    with OneByOne() as each:
        for name, dataset in chosen.items():
            with each.of(name):
                with bars():
                    made = cached_audit(results, dataset, parameters.values_of(dataset), again=True)
                for observation in made.observations:
                    click.echo(str(observation))
                    if observation.severity == "leak":
                        each.fail()
                if not made.observations:
                    click.echo(f"{name}: nothing found")
