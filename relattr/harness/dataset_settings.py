"""The parameters and own data of datasets, as far as they tell shown cells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from relattr import parameters
from relattr.errors import RelattrError
from relattr.harness.cell import Cell
from relattr.registry import Registry


def dataset_settings(cells: Sequence[Cell], registry: Registry) -> list[str]:
    """Return for each cell what tells its data apart from that of the other cells on this dataset; else empty text.

    ``folder.split=held-out, data=photos (1a2b3c4d)``: the parameters that differ and are not the default, spelt as for
    ``--set``; and, where cells are on several own data, the folder or file and the start of the content's digest.
    """
    by_dataset: dict[str, list[Cell]] = {}
    for cell in cells:
        by_dataset.setdefault(cell.dataset, []).append(cell)
    differing = {name: _differing_parameters(of_dataset) for name, of_dataset in by_dataset.items()}
    several_data = {name for name, of_dataset in by_dataset.items() if len({cell.data for cell in of_dataset}) > 1}
    defaults = {name: _defaults(name, registry) if names else {} for name, names in differing.items()}
    settings = []
    for cell in cells:
        of_dataset, values = defaults[cell.dataset], cell.dataset_parameters
        words = [
            f"{cell.dataset}.{name}={values[name]}"
            for name in sorted(differing[cell.dataset] & set(values))
            if name not in of_dataset or values[name] != of_dataset[name]
        ]
        if cell.data and cell.dataset in several_data:
            words.append(f"data={_stated_data(cell)}")
        settings.append(", ".join(words))
    return settings


def _differing_parameters(cells: Sequence[Cell]) -> set[str]:
    """The parameters that differ between these cells, or that only some of them have."""
    texts: dict[str, set[str]] = {}
    variants = {repr(sorted(cell.dataset_parameters.items())): cell.dataset_parameters for cell in cells}
    names = {name for values in variants.values() for name in values}
    for values in variants.values():
        for name in names:
            texts.setdefault(name, set()).add(repr(values[name]) if name in values else "")
    return {name for name, different in texts.items() if len(different) > 1}


def _defaults(dataset: str, registry: Registry) -> Mapping[str, Any]:
    """The default parameters of a dataset; empty if it is not loaded, or has a parameter without default."""
    if dataset not in registry.datasets:
        return {}
    try:
        return parameters.values_of(registry.datasets[dataset].create())
    except RelattrError:
        return {}


def _stated_data(cell: Cell) -> str:
    names = [PurePath(value).name for value in cell.location.values() if isinstance(value, str) and value]
    return " ".join([*names, f"({cell.data[:8]})"])
