"""``relattr data``: what datasets are, whether their files are here, and how to get them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.shared import columns, load_registry, plugins_option
from relattr.errors import BadInput
from relattr.harness.plan import parse_settings
from relattr.registry import Registry, matching

names_argument = click.argument("names", nargs=-1, required=True, metavar="DATASET...")


@click.group()
def data() -> None:
    """List, fetch and verify the datasets' files."""


@data.command("list")
@plugins_option
def list_datasets(plugin_folders: Sequence[Path]) -> None:
    """Show each dataset: whether it is here, its licence, its folder."""
    registry = load_registry(plugin_folders)
    for name, entry in registry.datasets.items():
        try:
            dataset = entry.create()
            missing, attributes = dataset.missing(), ", ".join(dataset.attributes())
        except Exception as error:  # a broken plugin is named, and the others are shown
            click.echo(f"{name}  {entry.label}: broken\n    {type(error).__name__}: {error}")
            continue
        click.echo(f"{name}  {entry.label}: {'here' if missing is None else 'not here'}")
        about = [
            ("attributes", attributes),
            ("licence", " ".join(dataset.licence.split())),
            ("homepage", dataset.homepage),
            ("cite", " ".join(dataset.citation.split())),
            ("folder", str(dataset.root) if dataset.downloads() or missing is not None else ""),
            ("missing", missing or ""),
        ]
        click.echo(columns([(what, text) for what, text in about if text], indent="    "))


@data.command()
@names_argument
@plugins_option
def fetch(names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Download the files of each DATASET that are not here yet, and check every one of them.

    Interrupted downloads go on where they stopped. Nothing is downloaded when RELATTR_OFFLINE is set.
    """
    from relattr.cli.progress import bars
    from relattr.fetch import fetch as fetch_files

    registry = load_registry(plugin_folders)
    for name in _chosen(names, registry):
        dataset = registry.dataset(name).create()
        downloads = dataset.downloads()
        if not downloads:
            click.echo(f"{name}: nothing to fetch; {dataset.missing() or 'it needs no files'}")
            continue
        click.echo(f"{name}: licence: {' '.join(dataset.licence.split())}")
        with bars():
            fetch_files(downloads, dataset.root, what=name)
        click.echo(f"{name}: {dataset.missing() or f'all files are in {dataset.root}'}")


@data.command()
@names_argument
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="With this parameter. May be repeated.")
@plugins_option
def verify(names: Sequence[str], settings: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Check the files, counts, splits and label codes of each DATASET against what is known of them."""
    registry = load_registry(plugin_folders)
    values = parse_settings(settings)
    wrong = 0
    for name in _chosen(names, registry):
        dataset = registry.dataset(name).create(values)
        findings = dataset.verify()
        if not findings:
            raise BadInput(f"{name} has nothing to verify: {dataset.missing() or 'it checks nothing'}")
        for finding in findings:
            wrong += not finding.ok
            click.echo(f"{name}: {'ok   ' if finding.ok else 'WRONG'} {finding.what}: {finding.detail}")
    if wrong:
        raise click.exceptions.Exit(1)


def _chosen(names: Sequence[str], registry: Registry) -> list[str]:
    return matching(registry.datasets, names, "dataset")
