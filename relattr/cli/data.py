"""``relattr data``: the datasets, their files, and how to get them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relattr.cli.chosen_datasets import chosen_datasets, dataset_options
from relattr.cli.details import print_dataset
from relattr.cli.failures import Failures
from relattr.cli.options import plugins_option
from relattr.cli.output import echo
from relattr.errors import MAYBE_PLUGIN
from relattr.harness.units import format_size
from relattr.name_patterns import match_names

if TYPE_CHECKING:
    from relattr.dataset import Dataset
    from relattr.registry import Registry

names_argument = click.argument("names", nargs=-1, required=True, metavar="DATASET...")


@click.group("data")
def command() -> None:
    """List, fetch and verify the datasets' files."""


@command.command("list")
@click.argument("names", nargs=-1, metavar="[DATASET]...")
@plugins_option
def list_datasets(names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """List the datasets: whether their files are here, their size, images and licence; with names, their details.

    \b
    here         the files are here, or it needs none
    to download  relattr data fetch DATASET downloads what can be downloaded
    missing      it cannot be downloaded: relattr data list DATASET says where to get it
    """
    from relattr.cli.plugins import load_registry
    from relattr.cli.text_table import print_table

    registry = load_registry(plugin_folders)
    if names:
        for name in match_names(registry.datasets, names, "dataset", MAYBE_PLUGIN):
            print_dataset(registry.datasets[name])
        return
    rows = [_dataset_row(name, registry) for name in registry.datasets]
    print_table(["name", "files", "size", "images", "licence"], rows)
    echo("\nrelattr data list DATASET shows what is missing, the whole licence, and what to cite.")


def _dataset_row(name: str, registry: Registry) -> tuple[str, ...]:
    """Name, whether the files are here, size, number of images, and the licence in short."""
    plugin = registry.datasets[name]
    try:
        dataset = plugin.create()
        missing, downloads = dataset.missing(), dataset.downloads()
    except Exception:  # an error in one plugin must not hide the others
        return name, "broken", "", "", ""
    state = "here" if missing is None else "to download" if downloads else "missing"
    n_bytes = sum(download.size for download in downloads)
    if not n_bytes and missing is None:
        n_bytes = _size_of(dataset.root)
    images = f"{dataset.n_images:,}" if dataset.n_images else ""
    return name, state, format_size(n_bytes) if n_bytes else "", images, _short_licence(dataset.licence)


def _short_licence(text: str) -> str:
    """The start of a licence: of ``images: none stated with them; for research`` it is ``none stated``."""
    clause = re.split(r"[;,(]", " ".join(text.split()))[0]
    return clause.rpartition(": ")[2].partition(" with ")[0].removeprefix("for ").strip()


def _size_of(folder: Path) -> int:
    """The bytes of the files in a folder; 0 if it cannot be read."""
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    except OSError:
        return 0


@command.command()
@names_argument
@plugins_option
def fetch(names: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Download the missing files of each DATASET, and verify the checksum of every file.

    Interrupted downloads are resumed. Nothing is downloaded if RELATTR_OFFLINE is set.
    """
    from relattr.cli.plugins import load_registry
    from relattr.cli.progress_bars import progress_bars
    from relattr.system.fetch import fetch_files

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
@dataset_options
@plugins_option
def verify(names: Sequence[str], data: Path | None, settings: Sequence[str], plugin_folders: Sequence[Path]) -> None:
    """Verify the files, counts, splits and label codes of each DATASET against the expected ones.

    \b
    relattr data verify osr lfw10
    relattr data verify --data my_images     your own photographs
    """
    from relattr.cli.plugins import load_registry
    from relattr.cli.progress_bars import progress_bars
    from relattr.errors import BadInput

    registry = load_registry(plugin_folders)
    chosen = chosen_datasets(names, data, settings, registry)
    datasets = {name: registry.dataset(name).create(values) for name, values in chosen.items()}
    with Failures() as failures:
        for name, dataset in datasets.items():
            with failures.caught(name):
                with progress_bars():
                    results = dataset.verify()
                if not results:
                    raise BadInput(f"nothing to verify: {dataset.missing() or 'the dataset defines no checks'}")
                for result in results:
                    state = "WRONG" if not result.ok else "WARN " if result.warning else "ok   "
                    echo(f"{name}: {state} {result.what}: {result.detail}")
                    if not result.ok:
                        failures.add()


def _select(names: Sequence[str], registry: Registry) -> list[tuple[str, Dataset]]:
    """The datasets of these names. Raises `UnknownName` for an unknown name, before any is used."""
    return [
        (name, registry.dataset(name).create())
        for name in match_names(registry.datasets, names, "dataset", MAYBE_PLUGIN)
    ]
