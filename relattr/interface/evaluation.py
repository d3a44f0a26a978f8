"""`evaluate`: the accuracy of a fitted model on a test set, with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput, UnknownName, shortened
from relattr.interface.model import Model
from relattr.interface.notebook import properties_html

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from relattr.harness.result import TestResult
    from relattr.task import Task, TestSet

LEVEL = 0.95
"""Default confidence level, that of all tables."""


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of a model on a test set. Accuracies are fractions, in [0, 1]."""

    method: str
    parameters: dict[str, Any]
    dataset: str
    """Empty if a test set was given in place of a task."""
    attribute: str
    split: str
    test: str
    """The name of the test set."""
    accuracy: float
    """Correct / ordered pairs; a tie is an error."""
    lower: float | None
    """Lower end of the confidence interval; None for a method that is published with another rule for ties."""
    upper: float | None
    level: float
    """Confidence level of the interval."""
    n_pairs: int
    """Ordered pairs, which are those that count; similar pairs do not."""
    n_images: int
    """Images that occur in a pair of the test set."""
    n_correct: int
    n_tied: int
    spearman: float | None
    """Rank correlation of the strengths with the scores of the images; None without scores."""
    strengths: NDArray[Any] | None = field(repr=False)
    """Strength of each test image, NaN for those in no pair; None if the method has no strengths."""
    margins: NDArray[Any] | None = field(repr=False)
    """Margin of each test pair; None if the method has strengths."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end of the confidence interval."""
        return None if self.lower is None or self.upper is None else (self.lower, self.upper)

    def as_series(self) -> pd.Series:
        """All numbers as one row: ``pd.DataFrame([e.as_series() for e in evaluations])`` is a table of several."""
        import pandas as pd

        skipped = ("strengths", "margins", "parameters")
        values = {name: value for name, value in vars(self).items() if name not in skipped}
        return pd.Series({**values, **{f"parameter {k}": v for k, v in self.parameters.items()}}, dtype=object)

    def __str__(self) -> str:
        where = "/".join(part for part in (self.dataset, self.attribute, self.split, self.test) if part)
        interval = "" if self.interval is None else " [{:.2f}, {:.2f}]".format(*(100 * end for end in self.interval))
        return (
            f"{self.method} on {where}: {100 * self.accuracy:.2f} %{interval}, {self.n_pairs:,} pairs of "
            f"{self.n_images:,} images"
        )

    def _repr_html_(self) -> str:
        ends = "" if self.interval is None else " to ".join(f"{100 * end:.2f}" for end in self.interval)
        return properties_html(
            f"{self.method} on {self.test if not self.dataset else f'{self.dataset}/{self.attribute}'}",
            {
                "accuracy": f"{100 * self.accuracy:.2f} %",
                f"{100 * self.level:g} % interval": ends,
                "pairs": f"{self.n_pairs:,} ({self.n_correct:,} correct, {self.n_tied:,} tied)",
                "images": f"{self.n_images:,}",
                "Spearman": "" if self.spearman is None else f"{self.spearman:.3f}",
                "test set": self.test,
                "split": self.split,
            },
        )


def evaluate(model: Model, task: Task | TestSet, *, test: str | None = None, level: float = LEVEL) -> Evaluation:
    """The accuracy of a fitted model on the test set of a task, with the confidence interval that tables have.

    Parameters
    ----------
    model : Model
        A fitted model.
    task : Task or TestSet
        A task, or one test set.
    test : str, optional
        The name of the test set, for a task that has several.
    level : float
        Confidence level of the interval, between 0 and 1. The interval takes into account that pairs share images;
        docs/statistics.md explains it. It does not include the randomness of training.

    Raises `BadInput` if the model is not fitted, the task has several test sets and none is named, or a strength is
    not finite.

    Examples
    --------
    >>> import relattr
    >>> task = relattr.load_dataset("glyphs", n_train=30, n_test=20).task("global")
    >>> evaluation = evaluate(relattr.load_method("chance").fit(task.train), task)
    >>> evaluation.n_pairs, evaluation.n_images
    (190, 20)
    """
    from relattr.execution.evaluate import evaluate_test_set
    from relattr.harness.arrays import CellArrays
    from relattr.task import Task

    model.require_fitted()
    if not 0 < level < 1:
        raise BadInput(f"level is {level}; expected a number between 0 and 1")
    test_set = _test_set(model, task, test)
    arrays = CellArrays()
    row = evaluate_test_set(model.method, test_set, arrays)
    strengths, margins = arrays.strengths.get(row.test), arrays.margins.get(row.test)
    lower, upper = _interval(row, test_set, strengths, margins, level)
    name = task.name if isinstance(task, Task) else None
    return Evaluation(
        method=model.name,
        parameters=model.parameters,
        dataset=name.dataset if name is not None else "",
        attribute=name.attribute if name is not None else "",
        split=name.split if name is not None else "",
        test=row.test,
        accuracy=row.accuracy,
        lower=lower,
        upper=upper,
        level=level,
        n_pairs=row.n_ordered,
        n_images=row.n_images,
        n_correct=row.n_correct,
        n_tied=row.n_tied,
        spearman=row.spearman,
        strengths=strengths,
        margins=margins,
    )


def _test_set(model: Model, task: Task | TestSet, test: str | None) -> TestSet:
    """The test set to evaluate on."""
    from relattr.execution.evaluate import MethodNotApplicable, usable_tests
    from relattr.task import Task, TestSet

    if isinstance(task, TestSet):
        return task
    if not isinstance(task, Task):
        raise BadInput(f"evaluate takes a task or a test set; got {shortened(repr(task))}")
    try:
        tests = {usable.name: usable for usable in usable_tests(model.method, task)}
    except MethodNotApplicable as error:
        raise BadInput(f"{model.name} {error}") from None
    if test is None:
        if len(tests) > 1:
            names = ", ".join(map(repr, tests))
            raise BadInput(f"task {task.name} has {len(tests)} test sets; name one: test={names}")
        return next(iter(tests.values()))
    if test not in tests:
        raise UnknownName(f"test set of {task.name}", test, tests)
    return tests[test]


def _interval(
    row: TestResult, test: TestSet, strengths: NDArray[Any] | None, margins: NDArray[Any] | None, level: float
) -> tuple[float | None, float | None]:
    """The confidence interval of the accuracy; None for a method with another rule for ties."""
    from relattr.statistics import Design, estimate_accuracy

    if row.ties != "error":
        return None, None
    design = Design([(test.pairs, test.images.indices)])
    estimate = estimate_accuracy(design, [design.judge(0, strengths=strengths, margins=margins)], level=level)
    return estimate.lower, estimate.upper
