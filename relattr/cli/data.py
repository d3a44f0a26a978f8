"""``relattr data``: what datasets are, whether their files are here, and how to get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from relattr.cli.shared import OneByOne, columns, load_registry, plugins_option
from relattr.dataset import Dataset
from relattr.errors import BadInput
from relattr.harness.selection import parse_settings
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
    from relattr.system.download import fetch as fetch_files

    with OneByOne() as each:
        for name, dataset in _chosen(names, load_registry(plugin_folders)):
            with each.of(name):
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
    with OneByOne() as each:
        for name, dataset in _chosen(names, load_registry(plugin_folders), parse_settings(settings)):
            with each.of(name):
                findings = dataset.verify()
                if not findings:
                    raise BadInput(f"nothing to verify: {dataset.missing() or 'it checks nothing'}")
                for finding in findings:
                    click.echo(f"{name}: {'ok   ' if finding.ok else 'WRONG'} {finding.what}: {finding.detail}")
                    if not finding.ok:
                        each.fail()


def _chosen(
    names: Sequence[str], registry: Registry, values: Mapping[str, Any] | None = None
) -> list[tuple[str, Dataset]]:
    """The datasets of these names; a parameter that one of them does not have is an error before anything is done."""
    chosen = matching(registry.datasets, names, "dataset")
    return [(name, registry.dataset(name).create(values or {})) for name in chosen]
