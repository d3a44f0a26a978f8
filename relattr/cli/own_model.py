"""Fits a model on a user's own photographs, as the options of `train` and `rank` say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relattr.cli.options import (
    data_option,
    device_option,
    plugins_option,
    seed_option,
    settings_option,
    threads_option,
)
from relattr.cli.output import echo
from relattr.errors import BadInput
from relattr.harness.own_data import BENCHMARK

if TYPE_CHECKING:
    from relattr.interface.model import Model
    from relattr.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])


def fit_options(command: F) -> F:
    """Add the options that say which method is fitted, on what, and how; see `fit_from_options`."""
    for option in reversed(
        [
            click.option("--method", metavar="NAME", help="The method to fit; `relattr list methods` shows all."),
            data_option("The folder with your labelled photographs and one .csv file, or that file."),
            click.option("--attribute", metavar="NAME", help="The attribute to learn; needed if the file has several."),
            settings_option("Set a parameter of the method; the others are those of `relattr run own`."),
            seed_option,
        ]
    ):
        command = option(command)
    return command


def use_options(command: F) -> F:
    """Add the options for applying a model: device, threads and plugins."""
    for option in (plugins_option, threads_option, device_option):  # the last one added comes first in the help
        command = option(command)
    return command


def fit_from_options(options: Mapping[str, Any], *, needs_strength: bool = False) -> Model:
    """Fit a method on all labelled photographs, as the `fit_options` say, with the parameters of `relattr run own`.

    Raises `BadInput` if the method or the data is not given, if the attribute is not and there are several, for invalid
    data, and with ``needs_strength`` for a method that only compares pairs.
    """
    from relattr.cli.plugins import load_registry
    from relattr.cli.progress_bars import progress_bars
    from relattr.interface.plugins import load_dataset, load_method

    for name in ("method", "data"):
        if options[name] is None:
            raise BadInput(f"--{name} is missing; for example --method ranksvm-cnn --data my_images")
    registry = load_registry(options["plugin_folders"])
    dataset = load_dataset(**_dataset(registry, options["data"]))
    attributes = dataset.attributes
    if options["attribute"] is None and len(attributes) > 1:
        raise BadInput(
            f"{options['data']} has {len(attributes)} attributes; add --attribute, one of: {', '.join(attributes)}"
        )
    train = dataset.training_set(options["attribute"])
    model = load_method(options["method"], **_parameters(registry, options["method"], options["settings"]))
    if needs_strength and not model.has_strength:
        raise BadInput(f"{model.name} compares pairs and gives no strengths, by which photographs could be ranked")
    echo(
        f"fitting {model.name} on {len(train.pairs):,} pairs of {len(train.images):,} photographs ...",
        err=True,
    )
    with progress_bars():
        model.fit(train, seed=options["seed"], device=options["device"], threads=options["threads"])
    return model


def _dataset(registry: Registry, data: Path) -> dict[str, Any]:
    """The name and the parameters of the dataset of own photographs."""
    from relattr.harness.benchmark import load_benchmark
    from relattr.harness.own_data import with_data

    benchmark = with_data(load_benchmark(BENCHMARK), registry, data)
    name = benchmark.datasets[0]
    return {"name": name, **benchmark.dataset[name]}


def _parameters(registry: Registry, method: str, settings: tuple[str, ...]) -> dict[str, Any]:
    """The parameters of a method: those that the benchmark sets, and the user's."""
    from relattr import parameters
    from relattr.harness.benchmark import load_benchmark
    from relattr.harness.selection import Selection, parameter_overrides, parse_settings

    plugin = registry.method(method)
    selection = Selection(settings=parse_settings(settings))
    overrides = parameter_overrides(load_benchmark(BENCHMARK), registry, selection, [method], [])
    return parameters.values_of(plugin.create(overrides["method", method]))
