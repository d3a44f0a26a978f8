"""The computation of one cell in this process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from relattr import parameters
from relattr.dataset import Dataset
from relattr.errors import BadInput
from relattr.execution.evaluate import _check_fitted, _task_of, evaluate_cell
from relattr.harness.benchmark import Benchmark, TableSpec
from relattr.harness.cell import Cell
from relattr.harness.plan import make_plan
from relattr.harness.provenance import record_provenance
from relattr.harness.result import Result, TestResult, decode_result, encode_result
from relattr.harness.store import Store
from relattr.images import Images, PairAnswers
from relattr.method import Method
from relattr.mixins import InspectionMixin, PairAnswersMixin, TieRule
from relattr.pairs import Pairs
from relattr.registry import Constant, Plugin, Registry
from relattr.run_settings import Run
from relattr.task import Task, TaskName, TestSet, TrainingSet

BRIGHTNESS = [30, 10, 20, 50, 40, 0]


def grey(values: list[int]) -> Images:
    return Images.from_arrays([np.full((4, 4, 3), v, np.uint8) for v in values])


class Squares(Dataset):
    """Grey squares; the last test image is in no pair."""

    def attributes(self) -> list[str]:
        return ["brightness"]

    def fingerprint(self) -> str:
        return "squares"

    def task(self, name: Any) -> Task:
        train = TrainingSet(grey(BRIGHTNESS), Pairs.from_scores(np.array(BRIGHTNESS, float)))
        pairs = Pairs([0, 1, 2, 3], [1, 2, 3, 4], [1, -1, -1, 1])
        scores = np.array([3.0, 1.0, 2.0, 4.0, 5.0, 99.0])  # almost in the order of brightness
        tests = [
            TestSet("scored", grey(BRIGHTNESS), pairs, scores=scores),
            TestSet("plain", grey(BRIGHTNESS), pairs),
        ]
        return Task(name, train, tests, "squares")


class Brightness(Method):
    """Mean grey level."""

    def fit(self, train: TrainingSet, run: Run) -> None:
        pass

    def strength(self, images: Images) -> Any:
        return np.array([image.mean() for image in images])


class Jointly(Brightness):
    """The same, without strengths."""

    def compare(self, images: Images, pairs: Pairs) -> Any:
        strengths = self.strength(images)
        return strengths[pairs.left] - strengths[pairs.right]


def result_of(method: type[Method], dataset: type[Dataset] = Squares) -> Result:
    registry = Registry()
    registry.methods["m"] = Plugin("m", "M", method, {})
    registry.datasets["squares"] = Plugin("squares", "Squares", dataset, {})
    values = parameters.values_of(method())
    cell = Cell("m", values, "squares", {}, "brightness", "standard", 0)
    result, _ = evaluate_cell(cell, registry, {}, record_provenance("cpu", 1), Run())
    return result


class Listed(Brightness):
    """Margins as a list."""

    has_strength = False

    def compare(self, images: Images, pairs: Pairs) -> Any:
        strengths = self.strength(images)
        return (strengths[pairs.left] - strengths[pairs.right]).tolist()


class ObjectArtifact(InspectionMixin, Brightness):
    """An artifact that only pickle can store."""

    def artifacts(self, train: TrainingSet, run: Run) -> Any:
        return {"what": np.array([{"a": 1}], object)}


class NumberedDeviations(Brightness):
    """Deviations that are not strings."""

    def deviations(self) -> Any:
        return [1]


class OneDeviation(Brightness):
    """A string in place of a list."""

    def deviations(self) -> Any:
        return "another backbone"


def test_values_that_cannot_be_stored_fail_the_cell() -> None:
    assert result_of(Listed).status == "ok"
    for method, output in (
        (ObjectArtifact, "artifacts['what'] is ndarray of object"),
        (NumberedDeviations, r"deviations() should be strings; got [1]"),
        (OneDeviation, "deviations() should be strings; got 'another backbone'"),
    ):
        result = result_of(method)
        assert result.status == "failed"
        assert output in result.reason


class Raises(Brightness):
    """Raises an exception of this kind."""

    def fit(self, train: TrainingSet, run: Run) -> None:
        raise self.error


class Unprintable(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class LongNotes(Brightness):
    def notes(self) -> Any:
        return ["x" * 10_000_000, "bad \udcff"]


class ManyNotes(Brightness):
    def notes(self) -> Any:
        return ["x"] * 100_000


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("x" * (40 << 20)), "characters left out"),
        (ValueError("bad \udcff name"), "ValueError: bad \\udcff name"),
        (Unprintable(), "Unprintable (its message cannot be computed: RuntimeError)"),
        (SystemExit("y" * (40 << 20)), "characters left out"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_row_has_a_bounded_text_whatever_is_raised(error: BaseException, reason: str) -> None:
    Raises.error = error
    result = result_of(Raises)
    assert result.status in ("failed", "crashed")
    assert reason in result.reason
    content = encode_result(result)
    assert len(content) < 100_000
    assert decode_result(content) == result


def test_notes_are_bounded() -> None:
    result = result_of(LongNotes)
    assert result.status == "ok"
    assert len(encode_result(result)) < 20_000
    assert "bad \\udcff" in result.method_notes
    result = result_of(ManyNotes)
    assert (result.status, result.reason) == (
        "failed",
        "BadInput: notes() are 100,000 texts; expected at most 200",
    )


def test_a_fingerprint_that_is_not_text_fails_the_cell() -> None:
    class Numbered(Squares):
        def fingerprint(self) -> Any:
            return 5

    result = result_of(Brightness, Numbered)
    assert (result.status, result.reason) == (
        "failed",
        "BadInput: fingerprint() of dataset squares gave 5; expected text",
    )


def test_strengths_are_correlated_with_scores_of_pairs() -> None:
    result = result_of(Brightness)
    scored, plain = result.tests
    assert (scored.n_correct, scored.n_ordered) == (plain.n_correct, plain.n_ordered) == (4, 4)
    # ranks of 30 10 20 50 40 against 3 1 2 4 5: the last two are exchanged
    assert scored.spearman == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert plain.spearman is None
    assert decode_result(encode_result(result)) == result


def test_margins_have_no_correlation() -> None:
    assert [t.spearman for t in result_of(Jointly).tests] == [None, None]


def test_a_correlation_above_one_is_refused() -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=r"between -1 and 1, not 1\.5"):
        TestResult("t", 2, 1, 1, 1, 0, spearman=1.5)


# ---------------------------------------------------------------------- methods without pixels, evaluated on answers about pairs, with another rule for ties


class Unseen(Squares):
    """Squares without pixels, and answers about the pairs of one test set."""

    def missing(self) -> str | None:
        return "no images"

    def missing_labels(self) -> str | None:
        return None

    def task(self, name: Any) -> Task:
        task = super().task(name)
        test = task.tests[0]
        pairs = np.stack([test.pairs.left, test.pairs.right], axis=1)
        answers = PairAnswers(pairs, np.array([[1], [-1], [0], [-1]]), ["lighter"])
        asked = TestSet("asked", test.images.with_answers("people", answers), test.pairs)
        return Task(name, task.train, [asked, task.tests[1]], "squares")


class People(PairAnswersMixin, Method):
    """The answers of people."""

    uses_pixels: ClassVar[bool] = False
    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"people": ("lighter",)}
    ties: ClassVar[TieRule] = "drop"

    def fit(self, train: TrainingSet, run: Run) -> None:
        pass

    def compare(self, images: Images, pairs: Pairs) -> Any:
        answers, _ = images.answers["people"].of(images.indices[pairs.left], images.indices[pairs.right])
        return answers[:, 0].astype(float)


class Others(People):
    """Another question."""

    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"people": ("darker",)}


class Learners(People):
    """Answers about training pairs."""

    train_answers: ClassVar[Mapping[str, Sequence[str]]] = {"people": ("lighter",)}


def test_methods_without_pixels_run_without_images() -> None:
    result = result_of(Brightness, Unseen)
    assert (result.status, result.reason) == ("blocked", "no images")
    result = result_of(People, Unseen)
    assert result.status == "ok"
    (row,) = result.tests  # only the test set with answers
    assert (row.test, row.n_ordered, row.n_correct, row.n_tied, row.ties) == ("asked", 4, 2, 1, "drop")
    assert row.accuracy == 2 / 3
    assert (row.accuracy_with("half"), row.accuracy_with("error")) == (2.5 / 4, 2 / 4)
    for output in ("tied pairs are left out", "2 right, 1 tied of 4", "66.67 without", "62.50 with", "50.00 as errors"):
        assert output in row.note
    assert decode_result(encode_result(result)) == result


def test_methods_without_their_answers_are_skipped() -> None:
    for method, match in (
        (Others, "needs the answers of people about test pairs"),
        (Learners, "needs the answers of people about training pairs, and squares has none"),
    ):
        result = result_of(method, Unseen)
        assert result.status == "skipped"
        assert match in result.reason


def test_a_published_row_has_no_cell_and_is_not_missing(tmp_path: Path) -> None:
    registry = Registry()
    registry.methods["m"] = Plugin("m", "M", Brightness, {})
    registry.datasets["squares"] = Plugin("squares", "Squares", Unseen, {})
    registry.constants["human"] = Constant("human", "Human", "people", "somewhere")
    benchmark = Benchmark(
        title="t", methods=("m", "human", "nobody"), datasets=("squares",), table=TableSpec(caption="", columns=())
    )
    plan = make_plan(benchmark, registry, Store(tmp_path))
    assert set(plan.unregistered) == {"nobody"}
    (cell,) = plan.cells
    assert (cell.cell.method, cell.state, cell.reason) == ("m", "blocked", "no images")


def test_methods_without_pixels_depend_on_labels_only(tmp_path: Path) -> None:
    class Labelled(Unseen):
        def labels_fingerprint(self) -> str:
            return "labels"

    registry = Registry()
    for name, method in (("m", Brightness), ("people", People)):
        registry.methods[name] = Plugin(name, name, method, {})
    registry.datasets["squares"] = Plugin("squares", "Squares", Labelled, {})
    benchmark = Benchmark(
        title="t", methods=("m", "people"), datasets=("squares",), table=TableSpec(caption="", columns=())
    )
    pixels, people = make_plan(benchmark, registry, Store(tmp_path)).cells
    assert (pixels.state, people.state) == ("blocked", "missing")
    assert people.fingerprints["data"] == "labels"


class Chooser(Brightness):
    """Chooses numbers in `fit`, and has a note on one dataset."""

    def fit(self, train: TrainingSet, run: Run) -> None:
        self.C_, self.epochs_, self.name_ = np.float64(0.125), 7, "seven"
        self.error_ = float("nan")  # not a number that JSON has
        self.coef_ = np.arange(3.0)

    def notes(self) -> Sequence[str]:
        return [f"C is {self.C_:g}"] if hasattr(self, "C_") else []

    def notes_on(self, task: TaskName) -> Sequence[str]:
        return [f"about {task.attribute} of {task.dataset}"]


def test_what_a_method_chose_is_stored() -> None:
    result = decode_result(encode_result(result_of(Chooser)))
    assert result.fitted == {"C_": 0.125, "epochs_": 7, "name_": "seven"}
    assert result.method_notes == ("C is 0.125", f"about brightness of {result.cell.dataset}")
    assert result_of(Brightness).fitted == {}


@pytest.mark.parametrize(
    "chosen", [5, {"C": math.nan}, {"C": [1, 2]}, {3: 1.0}, {"C": 10**30}, dict.fromkeys("ab" * 200)]
)
def test_what_a_method_chose_must_be_numbers_or_text(chosen: Any) -> None:
    with pytest.raises(BadInput, match=r"fitted_parameters\(\)"):
        _check_fitted(chosen)


def test_a_long_text_that_a_method_chose_is_shortened() -> None:
    assert len(_check_fitted({"a": "x" * 10**6, "b": np.float64(2.0)})["a"]) < 5000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (None, "returned None; expected a Task"),
        (TaskName("squares", "other", "standard"), "returned the task squares/other"),
    ],
)
def test_another_task_than_asked_for_is_refused(returned: TaskName | None, problem: str) -> None:
    class Confused(Squares):
        def task(self, name: Any) -> Task:
            return super().task(returned) if returned is not None else None  # type: ignore[return-value]

    name = TaskName("squares", "brightness", "standard")
    with pytest.raises(BadInput, match=r"Confused\.task") as error:
        _task_of(Confused(), name)
    assert problem in str(error.value)
    assert _task_of(Squares(), name).name == name
