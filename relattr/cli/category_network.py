"""``relattr category-network``: train a network on the categories of a dataset, for use on others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.cli.integer import IntegerRange
from relattr.cli.options import device_option, plugins_option, seed_option, settings_option, threads_option
from relattr.cli.output import echo
from relattr.cli.outputs import files_of_settings, require_apart, require_suffix
from relattr.errors import BadInput

if TYPE_CHECKING:
    from relattr.dataset import Dataset
    from relattr.task import Task
    from relattr.training.schedule import Preset

DECIDES_RESULTS = False


@click.command("category-network")
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--backbone",
    default=DEFAULT_BACKBONE,
    show_default=True,
    metavar="NAME",
    help="The pretrained network that is fine-tuned.",
)
@click.option(
    "--preset",
    type=click.Choice(["paper", "all-pairs", "fast"]),
    default="paper",
    show_default=True,
    help="The training schedule, as for the ranking networks.",
)
@click.option("--updates", type=IntegerRange(1), metavar="N", help="Steps, in place of the preset's.")
@click.option("--rate", type=float, metavar="X", help="Learning rate, in place of the preset's.")
@click.option("--attribute", metavar="NAME", help="The task whose training images are used; by default the first.")
@click.option("--split", metavar="NAME", help="Its split; by default the first.")
@seed_option
@device_option
@threads_option
@settings_option("Set a parameter of the dataset.")
@plugins_option
def command(
    dataset: str,
    file: Path,
    backbone: str,
    preset: Preset,
    updates: int | None,
    rate: float | None,
    attribute: str | None,
    split: str | None,
    seed: int,
    device: str,
    threads: int | None,
    settings: Sequence[str],
    plugin_folders: Sequence[Path],
) -> None:
    """Train a network on the categories of the training images of DATASET, and save it in FILE.

    ViralNet-C and -MC use it with --set category_network=FILE, on any dataset. The file (safetensors) holds the names
    of the categories, what the network was trained on, and a fingerprint. No test image is used.

    \b
    relattr category-network viral viral-categories.safetensors
    relattr run table2 --methods viralnet-c --set category_network=viral-categories.safetensors
    """
    from relattr.cli.plugins import load_registry
    from relattr.execution.resources import available_cpus, check_device, resolve_device
    from relattr.harness.selection import parse_settings
    from relattr.system.atomic import require_writable

    check_device(device)
    require_suffix("FILE", file, ".safetensors")
    require_apart("FILE", [file], files_of_settings(settings))
    require_writable(file)  # before training, which takes longer
    instance = load_registry(plugin_folders).dataset(dataset).create(parse_settings(settings))
    task = _training_task(instance, attribute, split)
    categories = task.train.categories
    assert categories is not None

    import dataclasses

    import torch

    from relattr.random import derive_seed
    from relattr.training.category_network import fit_category_network, save_category_network
    from relattr.training.schedule import PRESETS

    threads = threads or available_cpus()
    torch.set_num_threads(threads)
    schedule = PRESETS[preset]
    schedule = dataclasses.replace(schedule, updates=updates or schedule.updates, rate=rate or schedule.rate)
    fitted = fit_category_network(
        task.train.images,
        categories,
        backbone,
        schedule,
        derive_seed(seed, "category network"),
        device=resolve_device(device),
        workers=threads,
    )
    names = [task.train.category_names[k] for k in fitted.categories]
    record = save_category_network(
        file,
        fitted.network,
        names,
        backbone=backbone,
        standardise=fitted.network.extractor.is_standardised,
        dataset=dataset,
        trained_on=f"{task.name}, {len(task.train.images):,} images {task.train.images.collection_fingerprint[:16]}",
    )
    echo(
        f"wrote {file}: {len(names)} categories ({', '.join(names)}), {fitted.accuracy:.1%} of "
        f"{fitted.n_labelled:,} training images classified correctly, fingerprint {record.fingerprint[:16]}"
    )


def _training_task(dataset: Dataset, attribute: str | None, split: str | None) -> Task:
    """The first task of a dataset with this attribute and split, if they are given.

    Raises `BadInput` if there is none, if files are missing, or if its training images have no categories.
    """
    reason = dataset.missing()
    if reason:
        raise BadInput(reason)
    names = [
        name
        for name in dataset.tasks()
        if (attribute is None or name.attribute == attribute) and (split is None or name.split == split)
    ]
    if not names:
        raise BadInput(f"{dataset.name} has no task with attribute {attribute or '(any)'} and split {split or '(any)'}")
    task = dataset.task(names[0])
    if task.train.categories is None:
        raise BadInput(f"{dataset.name} has no categories")
    return task
