"""The datasets that a command works on, and their parameters: by name, or those of own photographs with --data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relattr.cli.options import data_option, settings_option
from relattr.errors import MAYBE_PLUGIN, BadInput

if TYPE_CHECKING:
    from relattr.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])


def dataset_options(command: F) -> F:
    """Add the argument DATASET and the options --data and --set; see `chosen_datasets`."""
    for option in reversed(
        [
            click.argument("names", nargs=-1, metavar="[DATASET]..."),
            data_option(
                "Your own photographs, in place of DATASET: the folder with them and one .csv file, or that file."
            ),
            settings_option("Set a parameter of every DATASET, or of one (folder.seed=1)."),
        ]
    ):
        command = option(command)
    return command


def chosen_datasets(
    names: Sequence[str], data: Path | None, settings: Sequence[str], registry: Registry
) -> dict[str, dict[str, Any]]:
    """The parameters to set on each dataset that is chosen, by its name.

    With ``data`` and no name, the dataset is that of own photographs. ``KEY`` is a parameter of every dataset,
    ``DATASET.KEY`` of one. Raises `BadInput` without a name and data, for a path that does not exist, and for data of a
    dataset that is not the user's own; `UnknownName` for an unknown name.
    """
    from relattr.harness.benchmark import load_benchmark
    from relattr.harness.own_data import BENCHMARK, location_parameter
    from relattr.harness.selection import parse_settings
    from relattr.name_patterns import match_names

    if not names and data is None:
        raise BadInput("name a dataset (relattr data list shows all), or pass --data PATH for your own photographs")
    if data is not None and not data.exists():
        raise BadInput(f"--data {data} does not exist; expected a folder of photographs with a .csv file, or that file")
    chosen = match_names(registry.datasets, names or load_benchmark(BENCHMARK).datasets, "dataset", MAYBE_PLUGIN)
    values = parse_settings(settings)
    datasets = {name: _settings_of(name, values, chosen) for name in chosen}
    for name, of_dataset in datasets.items() if data is not None else ():
        parameter = location_parameter(registry, name)
        if not parameter:
            raise BadInput(f"--data is for your own photographs, which are the dataset folder; leave out {name}")
        if parameter in of_dataset:
            raise BadInput(f"--data and --set {parameter} both say where the photographs are; leave out one of them")
        of_dataset[parameter] = str(data)
    return datasets


def _settings_of(name: str, values: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """The parameters of one dataset: those of all, and those that name it."""
    of_dataset = {}
    for key, value in values.items():
        owner, _, parameter = key.partition(".")
        if not parameter or owner not in chosen:  # another owner is an unknown parameter
            of_dataset[key] = value
        elif owner == name:
            of_dataset[parameter] = value
    return of_dataset
