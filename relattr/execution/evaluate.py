"""Compute a cell in this process: load the task, fit the method, compare the test pairs, and count correct answers."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from relattr.errors import BadInput, Blocked, clean_text, describe_error, shortened
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.fingerprints import is_unavailable, need_fingerprints
from relattr.harness.result import VERSION, BoxAccuracy, Provenance, Result, Status, TestResult
from relattr.harness.staleness import missing_data
from relattr.identity.loaded import LoadedModules
from relattr.method import strengths_in_pairs
from relattr.mixins import InspectionMixin, PairAnswersMixin
from relattr.needs import needs_of
from relattr.real_numbers import as_real_array, is_storable_number
from relattr.registry import Plugin, Registry
from relattr.run_settings import Run
from relattr.system.text import is_utf8

if TYPE_CHECKING:
    from relattr.dataset import Dataset
    from relattr.method import Method
    from relattr.pairs import Pairs
    from relattr.task import Task, TaskName, TestSet, TrainingSet


MAX_TEXT_LENGTH = 4000
"""Characters of a text of a plugin, such as a note, that a row stores."""
MAX_TEXTS = 200
"""Upper limit on the number of notes or deviations of a plugin."""
MAX_TRACEBACK_LENGTH = 50_000
"""Characters of a traceback that a row stores."""


class MethodNotApplicable(BadInput):
    """The method does not apply to a task; the message says what the task lacks."""


def evaluate_cell(
    cell: Cell, registry: Registry, fingerprints: Mapping[str, str], provenance: Provenance, run: Run
) -> tuple[Result, CellArrays]:
    """Compute a cell. An exception becomes the result's status, reason and traceback.

    Returns the result and, for each test set, the strengths of its images or the margins of its pairs.
    """
    status: Status = "ok"
    fields: dict[str, Any] = {}
    arrays = CellArrays()
    loaded = LoadedModules()
    try:
        method_plugin, dataset_plugin = registry.method(cell.method), registry.dataset(cell.dataset)
        fields = _fit_and_compare(cell, method_plugin, dataset_plugin, run, arrays, has_fingerprints=bool(fingerprints))
        if any(is_unavailable(text) for text in fingerprints.values()):  # the cell has downloaded its weights
            fingerprints = {**fingerprints, **need_fingerprints(method_plugin, cell.method_parameters)}
    except MethodNotApplicable as skip:
        status, fields = "skipped", {"reason": str(skip)}
    except Blocked as blocked:
        status, fields = "blocked", {"reason": clean_text(str(blocked), MAX_TEXT_LENGTH)}
    except SystemExit as end:
        status = "crashed"
        reason = f"it ended its process with sys.exit({end.code!r})"
        fields = {"reason": clean_text(reason, MAX_TEXT_LENGTH), "traceback": _traceback()}
    except Exception as error:  # a failing cell produces a result
        status = "memory" if isinstance(error, MemoryError) else "failed"
        fields = {"reason": describe_error(error), "traceback": _traceback()}
    if status != "ok":
        arrays = CellArrays()
    if fingerprints and cell.method in registry.methods and cell.dataset in registry.datasets:
        modules = registry.methods[cell.method].module, registry.datasets[cell.dataset].module
        fingerprints = {**fingerprints, **loaded.fingerprints(fingerprints, *modules)}
    result = Result(
        version=VERSION,
        cell=cell,
        status=status,
        fingerprints=dict(fingerprints),
        provenance=provenance,
        label=registry.methods[cell.method].label if cell.method in registry.methods else cell.method,
        dataset_label=registry.datasets[cell.dataset].label if cell.dataset in registry.datasets else cell.dataset,
        **fields,
    )
    return result, arrays


def _fit_and_compare(
    cell: Cell,
    method_plugin: Plugin[Any],
    dataset_plugin: Plugin[Any],
    run: Run,
    arrays: CellArrays,
    *,
    has_fingerprints: bool,
) -> dict[str, Any]:
    method = method_plugin.create(cell.method_parameters)
    dataset = dataset_plugin.create(cell.all_dataset_parameters)
    missing = missing_data(dataset_plugin, cell.all_dataset_parameters, pixels=method.uses_pixels)
    for reason in (missing, *(need.missing() for need in needs_of(method))):
        if reason is not None:
            raise Blocked(reason)
    if not has_fingerprints:  # the plan could not determine them; a result without any could never become stale
        _check_fingerprint(dataset.fingerprint() if method.uses_pixels else dataset.labels_fingerprint(), cell.dataset)
    task = _task_of(dataset, cell.task)
    require_applicable(method, task.train, task.name.dataset)
    tests = usable_tests(method, task)
    if method.uses_pixels:
        task.train.images.prepare()
    started = time.perf_counter()
    method.fit(task.train, run)
    fitted = time.perf_counter()
    rows = tuple(evaluate_test_set(method, test, arrays) for test in tests)
    compared = time.perf_counter()
    if isinstance(method, InspectionMixin):
        arrays.artifacts.update(method.artifacts(task.train, run))
        for test in tests:
            of_test = method.test_artifacts(task.train, test.images, run)
            arrays.artifacts.update({f"{name} of {test.name}": array for name, array in of_test.items()})
    return {
        "protocol": _check_strings("the task's protocol", [task.protocol])[0],
        "notes": _check_strings("the task's notes", task.notes),
        "task_deviations": _check_strings("the task's deviations", task.deviations),
        "method_notes": _check_strings("notes()", [*method.notes(), *method.notes_on(task.name)]),
        "deviations": _check_strings("deviations()", method.deviations()),
        "fitted": _check_fitted(method.fitted_parameters()),
        "tests": rows,
        "seconds_fit": round(fitted - started, 3),
        "seconds_compare": round(compared - fitted, 3),
    }


def _task_of(dataset: Dataset, name: TaskName) -> Task:
    """The task of this name. Raises `BadInput` if the dataset returns something else, such as another task."""
    from relattr.task import Task

    task: Any = dataset.task(name)
    if not isinstance(task, Task):
        raise BadInput(f"{type(dataset).__name__}.task({name}) returned {shortened(repr(task))}; expected a Task")
    if task.name != name:
        raise BadInput(f"{type(dataset).__name__}.task({name}) returned the task {task.name}")
    return task


def _check_fingerprint(fingerprint: Any, dataset: str) -> None:
    """Raise `BadInput` unless it is text that can be written as UTF-8."""
    if not isinstance(fingerprint, str) or not is_utf8(fingerprint):
        raise BadInput(f"fingerprint() of dataset {dataset} gave {shortened(repr(fingerprint))}; expected text")


def _traceback() -> str:
    """The traceback of the current exception, with its middle left out if it is long."""
    return clean_text(traceback.format_exc(), MAX_TRACEBACK_LENGTH)


def _check_strings(what: str, values: Any) -> tuple[str, ...]:
    """The values as a tuple, each bounded in length. Raises `BadInput` unless all are strings, and not too many."""
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise BadInput(f"{what} should be strings; got {shortened(repr(values))}")
    if len(values) > MAX_TEXTS:
        raise BadInput(f"{what} are {len(values):,} texts; expected at most {MAX_TEXTS}")
    return tuple(clean_text(value, MAX_TEXT_LENGTH) for value in values)


def _check_fitted(values: Any) -> dict[str, bool | int | float | str]:
    """The values, texts bounded in length. Raises `BadInput` unless they are finite numbers and texts, and few."""
    if not isinstance(values, Mapping) or len(values) > MAX_TEXTS:
        raise BadInput(
            f"fitted_parameters() gave {shortened(repr(values))}; expected at most {MAX_TEXTS} values by name"
        )
    checked: dict[str, bool | int | float | str] = {}
    for key, value in values.items():
        scalar = value.item() if getattr(value, "ndim", None) == 0 else value
        if not isinstance(key, str) or not (isinstance(scalar, str) or is_storable_number(scalar)):
            raise BadInput(
                f"fitted_parameters() has {shortened(repr(key))}: {shortened(repr(scalar))}; expected a finite number "
                "of at most 64 bits, or a text"
            )
        checked[clean_text(key, MAX_TEXT_LENGTH)] = (
            clean_text(scalar, MAX_TEXT_LENGTH) if isinstance(scalar, str) else scalar
        )
    return checked


def require_applicable(method: Method, train: TrainingSet, dataset: str) -> None:
    """Raise `MethodNotApplicable` if this training set of ``dataset`` lacks something that the method uses."""
    for uses, values, what in (
        (method.uses_scores, train.scores, "a score for each training image"),
        (method.uses_categories, train.categories, "a category for each training image"),
        (method.uses_shipped_features, train.images.shipped_features, "features shipped with the images"),
    ):
        if uses and values is None:
            raise MethodNotApplicable(f"needs {what}, and {dataset} has none")
    if isinstance(method, PairAnswersMixin):
        for name in method.missing_train_answers(train):
            raise MethodNotApplicable(f"needs the answers of {name} about training pairs, and {dataset} has none")


def usable_tests(method: Method, task: Task) -> Sequence[TestSet]:
    """The test sets on which the method can be evaluated. Raises `MethodNotApplicable` if there is none."""
    if not isinstance(method, PairAnswersMixin):
        return task.tests
    tests = method.answered_tests(task)
    if not tests:
        names = ", ".join(method.test_answers)
        raise MethodNotApplicable(
            f"needs the answers of {names} about test pairs, and no test set of {task.name.dataset} has them"
        )
    return tests


def evaluate_test_set(method: Method, test: TestSet, arrays: CellArrays) -> TestResult:
    """Count the pairs of a test set that a fitted method orders correctly.

    The strengths of its images, or the margins of its pairs, are added to ``arrays``. Raises `BadInput` for a test set
    without an ordered pair, and for strengths or margins of the wrong shape or that are not finite.
    """
    from relattr.statistics import count_margins, count_strengths, spearman

    correlation = None
    if method.has_strength:
        strengths = strengths_in_pairs(method, test.images, test.pairs)
        count = count_strengths(strengths, test.pairs)
        arrays.strengths[test.name] = strengths
        if test.scores is not None:
            correlation = spearman(strengths[test.pairs.images], test.scores[test.pairs.images])
    else:
        compared = method.compare(test.images, _unlabelled(test.pairs))
        margins = as_real_array(compared, f"{type(method).__name__}.compare(images, pairs)")
        count = count_margins(margins, test.pairs)
        arrays.margins[test.name] = margins
    if not count.ordered:
        raise BadInput(f"test set {test.name!r} has no ordered pair, so there is nothing to evaluate")
    ties = method.ties if isinstance(method, PairAnswersMixin) else "error"
    row = TestResult(
        test=test.name,
        n_images=int(test.pairs.images.size),
        n_pairs=len(test.pairs),
        n_ordered=count.ordered,
        n_correct=count.correct,
        n_tied=count.tied,
        note=test.note,
        deviation=test.deviation,
        spearman=correlation,
        boxes=_evaluate_boxes(method, test, arrays),
        ties=ties,
        fold=test.fold,
    )
    if ties == "error":
        return row
    rule = "ties are half right" if ties == "half" else "tied pairs are left out"
    explanation = (
        f"by the rule it was published under, {rule}: {row.n_correct:,} right, {row.n_tied:,} tied of "
        f"{row.n_ordered:,} pairs; {100 * row.accuracy_with('drop'):.2f} without ties, "
        f"{100 * row.accuracy_with('half'):.2f} with ties as halves, {100 * row.accuracy_with('error'):.2f} as errors"
    )
    return msgspec.structs.replace(row, note="; ".join(part for part in (test.note, explanation) if part))


def _unlabelled(pairs: Pairs) -> Pairs:
    """The same pairs with all labels 0, so that a method cannot see the labels."""
    import numpy as np

    return type(pairs)(pairs.left, pairs.right, np.zeros(len(pairs), np.int8))


def _evaluate_boxes(method: Method, test: TestSet, arrays: CellArrays) -> BoxAccuracy | None:
    """Store the image regions that the method attends to; evaluate them where the true boxes are known."""
    boxes = method.boxes(test.images) if isinstance(method, InspectionMixin) else None
    if boxes is None or not isinstance(method, InspectionMixin):
        return None
    arrays.boxes[test.name] = boxes
    first = None if test.boxes is None else method.initial_boxes(test.images)
    if test.boxes is None or first is None:
        return None
    from relattr.statistics.boxes import score_boxes

    now, before = score_boxes(boxes, test.boxes), score_boxes(first, test.boxes)
    return BoxAccuracy(centre=now.centre, iou=now.iou, first_centre=before.centre, first_iou=before.iou)
