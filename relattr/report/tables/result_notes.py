"""Notes on results: parameters other than the registered ones, changed code or data, cells missing from a mean."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relattr import parameters
from relattr.errors import RelattrError
from relattr.harness.cell import Cell
from relattr.harness.fingerprints import (
    dataset_code_fingerprints,
    dataset_fingerprints,
    differences_without_data,
    fingerprint_differences,
    is_recorded,
    method_fingerprints,
)
from relattr.harness.own_data import is_own
from relattr.harness.result import Result, TestResult
from relattr.harness.staleness import missing_data
from relattr.registry import Registry

MAX_TIES = 0.05
"""Share of ties among the ordered pairs up to which nothing is noted."""
MAX_LISTED = 4
"""How many missing cells a note lists, at most."""

_ABOUT_PUBLICATIONS = re.compile(r"\b(papers?|publications?|published|et al\.|and Lee)", re.IGNORECASE)
CellPlace = tuple[str, str, int]
"""Attribute, split and seed of a cell."""


def place_of(result: Result) -> CellPlace:
    """The attribute, split and seed of a result."""
    return result.cell.attribute, result.cell.split, result.cell.seed


@dataclass(frozen=True)
class ResultNotes:
    """The notes of one result on one test set, separated by whether they make its number incomparable."""

    deviations: tuple[str, ...]
    """Differences from the published method, data or protocol."""
    remarks: tuple[str, ...]
    """What else readers must know."""


def result_notes(result: Result, test: TestResult, registry: Registry) -> ResultNotes:
    """Return the notes of a result on one of its test sets, including those on its parameters.

    On a person's own data there is no published number: nothing is a deviation, and what a method notes
    about publications is left out.
    """
    if is_own(result.cell):
        of_method = [note for note in result.method_notes if not _ABOUT_PUBLICATIONS.search(note)]
        return ResultNotes((), (*of_method, *result.notes, *filter(None, [test.note])))
    method, dataset = parameter_notes(result, registry), dataset_parameter_notes(result, registry)
    return ResultNotes(
        (
            *method.deviations,
            *result.deviations,
            *dataset.deviations,
            *result.task_deviations,
            *filter(None, [test.deviation]),
        ),
        (*method.remarks, *result.method_notes, *dataset.remarks, *result.notes, *filter(None, [test.note])),
    )


def parameter_notes(result: Result, registry: Registry) -> ResultNotes:
    """A note for each parameter of the method that differs from the registered value.

    There is none if the method reports it itself, or for the published value of a parameter.
    """
    plugin = registry.methods.get(result.cell.method)
    if plugin is None:
        return ResultNotes((), ())
    method, reported = plugin.create(), (*result.deviations, *result.method_notes)
    values, published = result.cell.method_parameters, method.published_parameters
    changed = {k: v for k, v in values.items() if k not in published or published[k] != v}
    return _changed_parameters(changed, parameters.values_of(method), method.unpublished_parameters, reported)


def dataset_parameter_notes(result: Result, registry: Registry) -> ResultNotes:
    """A note for each parameter of the dataset that differs from the registered value."""
    plugin = registry.datasets.get(result.cell.dataset)
    if plugin is None:
        return ResultNotes((), ())
    dataset, reported = plugin.create(), (*result.task_deviations, *result.notes)
    values = result.cell.dataset_parameters
    return _changed_parameters(values, parameters.values_of(dataset), dataset.unpublished_parameters, reported)


def _changed_parameters(
    values: Mapping[str, Any], registered: Mapping[str, Any], unpublished: Sequence[str], reported: Sequence[str]
) -> ResultNotes:
    deviations: list[str] = []
    remarks: list[str] = []
    for name, value in sorted(values.items()):
        pattern = re.compile(rf"\b{re.escape(name)}( is |=){re.escape(str(value))}(?![\w.])")
        if registered.get(name) == value or any(pattern.search(note) for note in reported):
            continue
        if name in registered:
            default = "unset" if registered[name] is None else registered[name]
            note = f"{name} is {value} (default: {default})"
        else:
            note = f"{name} is {value} (no longer a parameter)"
        (remarks if name in unpublished else deviations).append(note)
    return ResultNotes(tuple(deviations), tuple(remarks))


MAX_NAMED_CHANGES = 3
"""Changes that a note names; a table has no room for a hundred modules."""


class StalenessNotes:
    """Compares results with the code and data that are installed now; fingerprints are computed once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._of_methods: dict[tuple[str, str], tuple[bool, Mapping[str, str]] | None] = {}
        self._of_datasets: dict[tuple[str, str, bool], Mapping[str, str] | None] = {}

    def not_loaded(self, result: Result) -> list[str]:
        """A note if the method or the dataset of a result is not loaded, so that nothing can be compared."""
        cell = result.cell
        if cell.method in self._registry.methods and cell.dataset in self._registry.datasets:
            return []
        plugin = cell.method if cell.method not in self._registry.methods else cell.dataset
        return [f"computed by a plugin that is not installed, {plugin}"]

    def not_recorded(self, result: Result) -> list[str]:
        """A note if the code of the method was not recorded: it was defined in a session, and has no file."""
        if is_recorded(result.fingerprints) or self.not_loaded(result):
            return []
        return ["computed with code that is not recorded, so it may have changed since"]

    def changed(self, result: Result) -> list[str]:
        """A note if the code or data that produced a result has changed; none if that cannot be determined."""
        differences = [] if self.not_loaded(result) or self.not_recorded(result) else self._differences(result)
        if not differences:
            return []
        named = ", ".join(differences[:MAX_NAMED_CHANGES])
        more = len(differences) - MAX_NAMED_CHANGES
        rest = f" and {more} more; relattr plan lists them" if more > 0 else ""
        return [f"computed with code or data that has changed since: {named}{rest}"]

    def _differences(self, result: Result) -> list[str]:
        """What has changed since, as far as it can be determined: the data may not be on this machine."""
        of_method = self._of_method(result.cell)
        if of_method is None:
            return []
        of_dataset = self._of_dataset(result.cell, pixels=of_method[0])
        if of_dataset is not None:
            return fingerprint_differences(result.fingerprints, {**of_dataset, **of_method[1]})
        code = dataset_code_fingerprints(self._registry.dataset(result.cell.dataset))
        return differences_without_data(result.fingerprints, {**code, **of_method[1]})

    def _of_method(self, cell: Cell) -> tuple[bool, Mapping[str, str]] | None:
        """Whether the method reads pixels, and its part of the fingerprints."""
        key = cell.method, repr(sorted(cell.method_parameters.items()))
        if key not in self._of_methods:
            self._of_methods[key] = None
            with contextlib.suppress(RelattrError, OSError):
                method = self._registry.method(cell.method)
                pixels = method.create(cell.method_parameters).uses_pixels
                self._of_methods[key] = pixels, method_fingerprints(method, cell.method_parameters)
        return self._of_methods[key]

    def _of_dataset(self, cell: Cell, *, pixels: bool) -> Mapping[str, str] | None:
        """The dataset's part of the fingerprints."""
        values = cell.all_dataset_parameters
        key = cell.dataset, repr(values), pixels
        if key not in self._of_datasets:
            self._of_datasets[key] = None
            with contextlib.suppress(RelattrError, OSError):
                dataset = self._registry.dataset(cell.dataset)
                if missing_data(dataset, values, pixels=pixels) is None:
                    self._of_datasets[key] = dataset_fingerprints(dataset, values, pixels=pixels)
        return self._of_datasets[key]


def missing_attributes_note(attributes: Sequence[str], measured: Iterable[str], results: Iterable[Result]) -> list[str]:
    """A note if a mean lacks whole attributes, with the reasons."""
    measured = set(measured)
    absent = [attribute for attribute in attributes if attribute not in measured]
    if not absent:
        return []
    reasons = sorted(
        {first_line(r.reason) or r.status for r in results if r.status != "ok" and r.cell.attribute in absent}
    )
    present = [attribute for attribute in attributes if attribute in measured]
    part = f"{len(present)}/{len(attributes)}: mean over {', '.join(present)} only"
    return [f"{part}; {', '.join(absent)}: {'; '.join(reasons) or 'not run'}"]


def missing_cells_note(wanted: set[CellPlace], measured: set[CellPlace], results: Iterable[Result]) -> list[str]:
    """A note if a mean lacks splits, or has fewer seeds than wanted, of attributes that it has, with the reasons.

    Other seeds than the wanted ones count as well.
    """
    reasons = {
        place_of(r): ": ".join(filter(None, (r.status, first_line(r.reason)))) for r in results if r.status != "ok"
    }
    absent: list[CellPlace] = []
    for wanted_task in sorted({place[:2] for place in wanted}):
        n_wanted, n_measured = (sum(place[:2] == wanted_task for place in places) for places in (wanted, measured))
        not_run = [place for place in wanted - measured if place[:2] == wanted_task]
        not_run.sort(key=lambda place: (place not in reasons, place))  # those that failed first
        absent += not_run[: max(0, n_wanted - n_measured)]
    if not absent:
        return []
    total = len(wanted)
    one_task = len({attribute for attribute, _, _ in measured}) == 1 and len({split for _, split, _ in wanted}) == 1
    listed = []
    for attribute, split, seed in absent[:MAX_LISTED]:
        task = "" if one_task else f"{attribute}/{split}, "
        listed.append(f"{task}seed {seed}: {reasons.get((attribute, split, seed), 'not run')}")
    if len(absent) > MAX_LISTED:
        listed.append(f"and {len(absent) - MAX_LISTED} more")
    return [f"{len(absent)} of {total} cells {'is' if len(absent) == 1 else 'are'} missing: {'; '.join(listed)}"]


def ties_note(tests: Iterable[TestResult]) -> list[str]:
    """A note if many pairs are predicted as ties where these count as errors: the accuracy then says little."""
    shares = [test.n_tied / test.n_ordered for test in tests if test.ties == "error" and test.n_ordered]
    share = sum(shares) / len(shares) if shares else 0.0
    if share <= MAX_TIES:
        return []
    return [f"{100 * share:.0f} % of the test pairs are predicted as ties, which count as errors"]


def first_line(text: str) -> str:
    """The first line of a message, with single spaces."""
    return " ".join(text.strip().split("\n")[0].split())
