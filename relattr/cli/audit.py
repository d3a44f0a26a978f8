"""``relattr audit``: leaks and contradictions in datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from relattr.cli.chosen_datasets import chosen_datasets, dataset_options
from relattr.cli.failures import Failures
from relattr.cli.options import plugins_option, results_option
from relattr.cli.output import echo


@click.command("audit")
@dataset_options
@results_option
@plugins_option
def command(
    names: Sequence[str], data: Path | None, results: Path, settings: Sequence[str], plugin_folders: Sequence[Path]
) -> None:
    """Search each DATASET for leaks and contradictions.

    Reports images shared by training and test sets (by position in the collection and by content), duplicate images,
    labels that correlate with the side, and pairs that occur in both orders, repeatedly, or with contradicting
    labels. The audit is stored in the results folder, and all tables show its leaks. Exit code 1 if there is a leak.

    \b
    relattr audit osr
    relattr audit --data my_images     your own photographs
    """
    from relattr.cli.plugins import load_registry
    from relattr.cli.progress_bars import progress_bars
    from relattr.harness.store import Store
    from relattr.report.tables.audits import cached_audit

    registry, store = load_registry(plugin_folders), Store(results)
    chosen = chosen_datasets(names, data, settings, registry)
    datasets = {name: registry.dataset(name).create(values) for name, values in chosen.items()}
    with Failures() as failures:
        for name, dataset in datasets.items():
            with failures.caught(name):
                with progress_bars():
                    audit = cached_audit(store, dataset, recompute=True)
                for observation in audit.observations:
                    echo(str(observation))
                    if observation.severity == "leak":
                        failures.add()
                if not audit.observations:
                    echo(f"{name}: nothing found")
