"""Notes on results: parameters other than the registered ones, changed code or data, cells missing from a mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from relattr import parameters
from relattr.errors import RelattrError
from relattr.harness.fingerprints import cell_fingerprints, fingerprint_differences
from relattr.harness.result import Result
from relattr.harness.staleness import missing_data
from relattr.registry import Registry

MAX_LISTED = 4
"""How many missing cells a note lists, at most."""

CellPlace = tuple[str, str, int]
"""Attribute, split and seed of a cell."""


def place_of(result: Result) -> CellPlace:
    """The attribute, split and seed of a result."""
    return result.cell.attribute, result.cell.split, result.cell.seed


def parameter_notes(result: Result, registry: Registry) -> list[str]:
    """A note for each parameter that differs from the registered value, unless the method reports it itself."""
    if result.cell.method not in registry.methods:
        return []
    registered = parameters.values_of(registry.methods[result.cell.method].create())
    notes = []
    for name, value in sorted(result.cell.method_parameters.items()):
        reported = re.compile(rf"\b{re.escape(name)}( is |=){re.escape(str(value))}(?![\w.])")
        if registered.get(name) != value and not any(reported.search(note) for note in result.deviations):
            default = registered.get(name)
            notes.append(f"{name} is {value} (default: {'unset' if default is None else default})")
    return notes


class StalenessNotes:
    """Compares results with the code and data that are installed now; fingerprints are computed once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._current: dict[tuple[str, str, str, str], Mapping[str, str] | None] = {}

    def of(self, result: Result) -> list[str]:
        """A note if the code or data that produced a result has changed; none if that cannot be determined."""
        cell = result.cell
        registry = self._registry
        if cell.method not in registry.methods or cell.dataset not in registry.datasets:
            plugin = cell.method if cell.method not in registry.methods else cell.dataset
            return [f"computed by a plugin that is not installed, {plugin}"]
        key = (cell.method, repr(sorted(cell.method_parameters.items())), cell.dataset, repr(cell.dataset_parameters))
        if key not in self._current:
            try:
                method, dataset = registry.method(cell.method), registry.dataset(cell.dataset)
                pixels = method.create(cell.method_parameters).uses_pixels
                available = missing_data(dataset, cell.dataset_parameters, pixels=pixels) is None
                self._current[key] = cell_fingerprints(cell, method, dataset) if available else None
            except (RelattrError, OSError):
                self._current[key] = None
        current = self._current[key]
        differences = fingerprint_differences(result.fingerprints, current) if current is not None else []
        return [f"computed with code or data that has changed since: {', '.join(differences)}"] if differences else []


def missing_attributes_note(attributes: Sequence[str], measured: Iterable[str], results: Iterable[Result]) -> list[str]:
    """A note if a mean lacks whole attributes, with the reasons."""
    measured = set(measured)
    absent = [attribute for attribute in attributes if attribute not in measured]
    if not absent:
        return []
    reasons = sorted(
        {first_line(r.reason) or r.status for r in results if r.status != "ok" and r.cell.attribute in absent}
    )
    present = ", ".join(attribute for attribute in attributes if attribute in measured)
    return [f"mean over {present} only; {', '.join(absent)}: {'; '.join(reasons) or 'not run'}"]


def missing_cells_note(wanted: set[CellPlace], measured: set[CellPlace], results: Iterable[Result]) -> list[str]:
    """A note if a mean lacks splits or seeds of attributes that it has, with the reasons."""
    absent = sorted(wanted - measured)
    if not absent:
        return []
    total = len(wanted | measured)
    reasons = {
        place_of(r): ": ".join(filter(None, (r.status, first_line(r.reason)))) for r in results if r.status != "ok"
    }
    one_task = len({attribute for attribute, _, _ in measured}) == 1 and len({split for _, split, _ in wanted}) == 1
    listed = []
    for attribute, split, seed in absent[:MAX_LISTED]:
        task = "" if one_task else f"{attribute}/{split}, "
        listed.append(f"{task}seed {seed}: {reasons.get((attribute, split, seed), 'not run')}")
    if len(absent) > MAX_LISTED:
        listed.append(f"and {len(absent) - MAX_LISTED} more")
    return [f"mean over {total - len(absent)} of {total} cells; {'; '.join(listed)}"]


def first_line(text: str) -> str:
    """The first line of a message, with single spaces."""
    return " ".join(text.strip().split("\n")[0].split())
