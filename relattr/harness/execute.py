"""One cell from nothing to its result: load the task, fit, compare, judge."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput, Blocked
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Provenance, Result, Status, TestResult
from relattr.registry import Entry, Registry
from relattr.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr.method import Method
    from relattr.task import Task, TestSet


class _Skip(Exception):
    """The method does not apply to this task."""


def execute(
    cell: Cell, registry: Registry, prints: Mapping[str, str], provenance: Provenance, run: Run
) -> tuple[Result, dict[str, NDArray[Any]]]:
    """Compute a cell. Whatever goes wrong in it becomes its status, reason and traceback.

    Returns the result and, for each test set, the strengths of its images or the margins of its pairs.
    """
    status: Status = "ok"
    found: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    try:
        method_entry, dataset_entry = registry.method(cell.method), registry.dataset(cell.dataset)
        found = _compute(cell, method_entry, dataset_entry, run, arrays)
    except _Skip as skip:
        status, found = "skipped", {"reason": str(skip)}
    except Blocked as blocked:
        status, found = "blocked", {"reason": str(blocked)}
    except SystemExit as end:
        status = "crashed"
        found = {"reason": f"it ended its process with sys.exit({end.code!r})", "traceback": traceback.format_exc()}
    except Exception as error:  # a cell that fails is a row, never the end of the run
        status = "memory" if isinstance(error, MemoryError) else "failed"
        found = {"reason": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    if status != "ok":
        arrays = {}
    result = Result(
        version=VERSION,
        cell=cell,
        status=status,
        fingerprints=dict(prints),
        provenance=provenance,
        label=registry.methods[cell.method].label if cell.method in registry.methods else cell.method,
        dataset_label=registry.datasets[cell.dataset].label if cell.dataset in registry.datasets else cell.dataset,
        **found,
    )
    return result, arrays


def _compute(
    cell: Cell, method_entry: Entry[Any], dataset_entry: Entry[Any], run: Run, arrays: dict[str, NDArray[Any]]
) -> dict[str, Any]:
    method = method_entry.create(cell.method_parameters)
    dataset = dataset_entry.create(cell.dataset_parameters)
    for why in (dataset.missing(), *(need.missing() for need in method.needs())):
        if why is not None:
            raise Blocked(why)
    task = dataset.task(cell.task)
    _applies(method, task)
    task.train.images.prepare()
    started = time.perf_counter()
    method.fit(task.train, run)
    fitted = time.perf_counter()
    rows = tuple(_judge(method, test, arrays) for test in task.tests)
    return {
        "protocol": task.protocol,
        "notes": tuple(task.notes),
        "deviations": tuple(method.deviations()),
        "tests": rows,
        "seconds_fit": round(fitted - started, 3),
        "seconds_compare": round(time.perf_counter() - fitted, 3),
    }


def _applies(method: Method, task: Task) -> None:
    for uses, values, what in (
        (method.uses_scores, task.train.scores, "a score for each training image"),
        (method.uses_categories, task.train.categories, "a category for each training image"),
        (method.uses_shipped_features, task.train.images.shipped_features, "features shipped with the images"),
    ):
        if uses and values is None:
            raise _Skip(f"needs {what}, and {task.name.dataset} has none")


def _judge(method: Method, test: TestSet, arrays: dict[str, NDArray[Any]]) -> TestResult:
    from relattr.statistics import count_margins, count_strengths, spearman

    correlation = None
    if method.has_strength:
        strengths = method.strengths(test.images, test.pairs)
        count = count_strengths(strengths, test.pairs)
        arrays[f"strengths {test.name}"] = strengths
        if test.scores is not None:
            correlation = spearman(strengths[test.pairs.images], test.scores[test.pairs.images])
    else:
        margins = method.compare(test.images, test.pairs)
        count = count_margins(margins, test.pairs)
        arrays[f"margins {test.name}"] = margins
    if not count.ordered:
        raise BadInput(f"test set {test.name!r} has no ordered pair to be judged on")
    return TestResult(
        test=test.name,
        n_images=int(test.pairs.images.size),
        n_pairs=len(test.pairs),
        n_ordered=count.ordered,
        n_correct=count.correct,
        n_tied=count.tied,
        note=test.note,
        spearman=correlation,
    )
