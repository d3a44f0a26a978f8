"""``relattr data``: the datasets, their files, and how to get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relattr.cli.failures import Failures
from relattr.cli.options import plugins_option, settings_option
from relattr.cli.output import echo
from relattr.errors import RelattrError

if TYPE_CHECKING:
    from relattr.dataset import Dataset
    from relattr.registry import Registry

names_argument = click.argument("names", nargs=-1, required=True, metavar="DATASET...")


@click.group("data")
def command() -> None:
    """List, fetch and verify the datasets' files."""


@command.command("list")
@plugins_option
def list_datasets(plugin_folders: Sequence[Path]) -> None:
    """Show each dataset: whether its files are available, its licence and its folder."""
    from relattr.cli.plugins import load_registry
    from relattr.cli.text_table import aligned

    registry = load_registry(plugin_folders)
    for name, entry in registry.datasets.items():
        try:
            dataset = entry.create()
            missing, attributes = dataset.missing(), ", ".join(dataset.attributes())
        except Exception as error:  # an error in one plugin must not hide the others
            reason = str(error) if isinstance(error, RelattrError) else f"{type(error).__name__}: {error}"
            echo(f"{name}  {entry.label}: broken\n    {reason}")
            continue
        echo(f"{name}  {entry.label}: {'available' if missing is None else 'not available'}")
        fields = [
            ("attributes", attributes),
            ("licence", " ".join(dataset.licence.split())),
            ("homepage", dataset.homepage),
            ("cite", " ".join(dataset.citation.split())),
            ("folder", str(dataset.root) if dataset.downloads() or missing is not None else ""),
            ("missing", missing or ""),
        ]
        echo(aligned([(field, text) for field, text in fields if text], indent="    "))


@command.command()
@names_argument
@plugins_option
def fetch(names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Download the missing files of each DATASET, and verify the checksum of every file.

    Interrupted downloads are resumed. Nothing is downloaded if RELATTR_OFFLINE is set.
    """
    from relattr.cli.plugins import load_registry
    from relattr.cli.progress_bars import progress_bars
    from relattr.system.download import fetch_files

    with Failures() as failures:
        for name, dataset in _select(names, load_registry(plugin_folders)):
            with failures.caught(name):
                downloads = dataset.downloads()
                if not downloads:
                    echo(f"{name}: nothing to fetch; {dataset.missing() or 'it needs no files'}")
                    continue
                echo(f"{name}: licence: {' '.join(dataset.licence.split())}")
                with progress_bars():
                    fetch_files(downloads, dataset.root, what=name)
                echo(f"{name}: {dataset.missing() or f'all files are in {dataset.root}'}")


@command.command()
@names_argument
@settings_option
@plugins_option
def verify(names: Sequence[str], settings: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Verify the files, counts, splits and label codes of each DATASET against the expected ones."""
    from relattr.cli.plugins import load_registry
    from relattr.errors import BadInput
    from relattr.harness.selection import parse_settings

    with Failures() as failures:
        for name, dataset in _select(names, load_registry(plugin_folders), parse_settings(settings)):
            with failures.caught(name):
                results = dataset.verify()
                if not results:
                    raise BadInput(f"nothing to verify: {dataset.missing() or 'the dataset defines no checks'}")
                for result in results:
                    state = "WRONG" if not result.ok else "WARN " if result.warning else "ok   "
                    echo(f"{name}: {state} {result.what}: {result.detail}")
                    if not result.ok:
                        failures.add()


def _select(
    names: Sequence[str], registry: Registry, values: Mapping[str, Any] | None = None
) -> list[tuple[str, Dataset]]:
    """The datasets of these names. Raises `UnknownName` for an unknown name or parameter, before any is used."""
    from relattr.registry import match_names

    return [
        (name, registry.dataset(name).create(values or {})) for name in match_names(registry.datasets, names, "dataset")
    ]
