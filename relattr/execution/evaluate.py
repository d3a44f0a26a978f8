"""One cell from nothing to its result: load the task, fit, compare, judge."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from relattr.errors import BadInput, Blocked
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell, is_unknown, missing, of_needs
from relattr.harness.result import VERSION, Boxes, Provenance, Result, Status, TestResult
from relattr.method import strengths_in_pairs
from relattr.mixins import InspectionMixin, UsesPairAnswers
from relattr.registry import Plugin, Registry
from relattr.run import Run

if TYPE_CHECKING:
    from relattr.method import Method
    from relattr.pairs import Pairs
    from relattr.task import Task, TestSet


class _Skip(Exception):
    """The method does not apply to this task."""


def evaluate_cell(
    cell: Cell, registry: Registry, prints: Mapping[str, str], provenance: Provenance, run: Run
) -> tuple[Result, CellArrays]:
    """Compute a cell. Whatever goes wrong in it becomes its status, reason and traceback.

    Returns the result and, for each test set, the strengths of its images or the margins of its pairs.
    """
    status: Status = "ok"
    found: dict[str, Any] = {}
    arrays = CellArrays()
    try:
        method_entry, dataset_entry = registry.method(cell.method), registry.dataset(cell.dataset)
        found = _compute(cell, method_entry, dataset_entry, run, arrays)
        if any(is_unknown(text) for text in prints.values()):  # it has downloaded its weights
            prints = {**prints, **of_needs(method_entry, cell.method_parameters)}
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
        arrays = CellArrays()
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
    cell: Cell, method_entry: Plugin[Any], dataset_entry: Plugin[Any], run: Run, arrays: CellArrays
) -> dict[str, Any]:
    method = method_entry.create(cell.method_parameters)
    dataset = dataset_entry.create(cell.dataset_parameters)
    absent = missing(dataset_entry, cell.dataset_parameters, pixels=method.uses_pixels)
    for why in (absent, *(need.missing() for need in method.needs())):
        if why is not None:
            raise Blocked(why)
    task = dataset.task(cell.task)
    _applies(method, task)
    tests = _usable_tests(method, task)
    if method.uses_pixels:
        task.train.images.prepare()
    started = time.perf_counter()
    method.fit(task.train, run)
    fitted = time.perf_counter()
    rows = tuple(_judge(method, test, arrays) for test in tests)
    compared = time.perf_counter()
    if isinstance(method, InspectionMixin):
        arrays.artifacts.update(method.artifacts(task.train, run))
    return {
        "protocol": _texts("the task's protocol", [task.protocol])[0],
        "notes": _texts("the task's notes", task.notes),
        "deviations": _texts("deviations()", method.deviations()),
        "tests": rows,
        "seconds_fit": round(fitted - started, 3),
        "seconds_compare": round(compared - fitted, 3),
    }


def _texts(what: str, values: Any) -> tuple[str, ...]:
    """The values, each of them text. Raises `BadInput`."""
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise BadInput(f"{what} should be texts; got {values!r}")
    return tuple(values)


def _applies(method: Method, task: Task) -> None:
    for uses, values, what in (
        (method.uses_scores, task.train.scores, "a score for each training image"),
        (method.uses_categories, task.train.categories, "a category for each training image"),
        (method.uses_shipped_features, task.train.images.shipped_features, "features shipped with the images"),
    ):
        if uses and values is None:
            raise _Skip(f"needs {what}, and {task.name.dataset} has none")
    if isinstance(method, UsesPairAnswers):
        for name in method.missing_train_answers(task.train):
            raise _Skip(f"needs the answers of {name} about training pairs, and {task.name.dataset} has none")


def _usable_tests(method: Method, task: Task) -> Sequence[TestSet]:
    """The test sets on which the method can be evaluated."""
    if not isinstance(method, UsesPairAnswers):
        return task.tests
    tests = method.answered_tests(task)
    if not tests:
        names = ", ".join(method.test_answers)
        raise _Skip(f"needs the answers of {names} about test pairs, and no test set of {task.name.dataset} has them")
    return tests


def _judge(method: Method, test: TestSet, arrays: CellArrays) -> TestResult:
    from relattr.statistics import count_margins, count_strengths, spearman

    correlation = None
    if method.has_strength:
        strengths = strengths_in_pairs(method, test.images, test.pairs)
        count = count_strengths(strengths, test.pairs)
        arrays.strengths[test.name] = strengths
        if test.scores is not None:
            correlation = spearman(strengths[test.pairs.images], test.scores[test.pairs.images])
    else:
        margins = method.compare(test.images, _unlabelled(test.pairs))
        count = count_margins(margins, test.pairs)
        arrays.margins[test.name] = margins
    if not count.ordered:
        raise BadInput(f"test set {test.name!r} has no ordered pair to be judged on")
    ties = method.ties if isinstance(method, UsesPairAnswers) else "error"
    row = TestResult(
        test=test.name,
        n_images=int(test.pairs.images.size),
        n_pairs=len(test.pairs),
        n_ordered=count.ordered,
        n_correct=count.correct,
        n_tied=count.tied,
        note=test.note,
        spearman=correlation,
        boxes=_look(method, test, arrays),
        ties=ties,
    )
    if ties == "error":
        return row
    rule = "ties are half right" if ties == "half" else "tied pairs are left out"
    said = (
        f"by the rule it was published under, {rule}: {row.n_correct:,} right, {row.n_tied:,} tied of "
        f"{row.n_ordered:,} pairs; {100 * row.accuracy_with('drop'):.2f} without ties, "
        f"{100 * row.accuracy_with('half'):.2f} with ties as halves, {100 * row.accuracy_with('error'):.2f} as errors"
    )
    return msgspec.structs.replace(row, note="; ".join(part for part in (test.note, said) if part))


def _unlabelled(pairs: Pairs) -> Pairs:
    """The same pairs, every label 0: no method is shown the answers."""
    import numpy as np

    return type(pairs)(pairs.left, pairs.right, np.zeros(len(pairs), np.int8))


def _look(method: Method, test: TestSet, arrays: CellArrays) -> Boxes | None:
    """Where the method looks in the test images; how well that is, where the truth is known."""
    boxes = method.boxes(test.images) if isinstance(method, InspectionMixin) else None
    if boxes is None or not isinstance(method, InspectionMixin):
        return None
    arrays.boxes[test.name] = boxes
    first = method.initial_boxes(test.images)
    if test.boxes is None or first is None:
        return None
    from relattr.statistics.boxes import found

    now, before = found(boxes, test.boxes), found(first, test.boxes)
    return Boxes(centre=now.centre, iou=now.iou, first_centre=before.centre, first_iou=before.iou)
