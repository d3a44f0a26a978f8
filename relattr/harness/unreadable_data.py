"""Photographs of own data that cannot be read: one error before the cells, in place of one in every cell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from relattr.dataset import Dataset
from relattr.errors import BadImage, BadInput, RelattrError
from relattr.harness.cell import Cell
from relattr.harness.own_data import is_own, location_parameter
from relattr.harness.plan import PlannedCell
from relattr.images import FileSource, Images
from relattr.registry import Registry
from relattr.task import Task

MAX_NAMED = 3
"""Photographs that the message names at most."""


def require_readable(cells: Sequence[PlannedCell], registry: Registry) -> None:
    """Raise `BadInput` if methods of these cells need pixels of own data, and some photographs cannot be read.

    What is decoded is kept in the cache, for the cells.
    """
    first: dict[tuple[str, str], Cell] = {}
    for planned in cells:
        if is_own(planned.cell) and _uses_pixels(planned.cell, registry):
            first.setdefault((planned.cell.dataset, planned.cell.data), planned.cell)
    for cell in first.values():
        try:
            dataset = registry.dataset(cell.dataset).create(cell.all_dataset_parameters)
            dataset.task(cell.task).train.images.prepare()
        except BadImage as error:
            raise BadInput(_describe(dataset, error, _verify_command(cell, registry))) from error
        except RelattrError:  # that of a cell: other cells may not have it
            continue


def _uses_pixels(cell: Cell, registry: Registry) -> bool:
    plugin = registry.methods.get(cell.method)
    return plugin is not None and plugin.create(cell.method_parameters).uses_pixels


def _verify_command(cell: Cell, registry: Registry) -> str:
    path = str(cell.location[location_parameter(registry, cell.dataset)])
    return shlex.join(["relattr", "data", "verify", cell.dataset, "--data", path])


def _describe(dataset: Dataset, error: BadImage, command: str) -> str:
    """How many photographs cannot be read, and why the first ones cannot; ``error`` is about one of them."""
    names = sorted({name for task in _tasks(dataset) for name in _names(task)})
    problems = [problem for name in names if (problem := _problem(dataset, name))]
    more = f"; and {len(problems) - MAX_NAMED:,} more" if len(problems) > MAX_NAMED else ""
    which = "; ".join(problems[:MAX_NAMED]) + more if problems else str(error)
    how_many = f"{len(problems):,} of {len(names):,} photographs" if problems else "photographs"
    return f"{how_many} cannot be read: {which}. {command} lists them; repair them, or remove them from the CSV file"


def _tasks(dataset: Dataset) -> Iterable[Task]:
    for name in dataset.tasks():
        try:
            yield dataset.task(name)
        except RelattrError:
            continue


def _names(task: Task) -> Iterable[str]:
    yield from task.train.images.names
    for test in task.tests:
        yield from test.images.names


def _problem(dataset: Dataset, name: str) -> str:
    """Why a photograph cannot be read; empty if it can."""
    try:
        _ = Images(FileSource(dataset.root, [name]), limit=0)[0]
    except BadImage as error:
        return str(error)
    return ""
