"""`evaluate`: the accuracy of a fitted model on a test set, with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput, UnknownName, shortened
from relattr.interface.model import Model
from relattr.interface.notebook import properties_html
from relattr.interface.seen_images import warn_of_seen_images

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from relattr.harness.result import TestResult
    from relattr.interface.loaded_dataset import LoadedDataset
    from relattr.pairs import Pairs
    from relattr.statistics import Design, Judgement
    from relattr.task import Task, TestSet

LEVEL = 0.95
"""Default confidence level, that of all tables."""


@dataclass(frozen=True, repr=False)
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
    interval: tuple[float, float] | None
    """The ends of the confidence interval; None for a method that is published with another rule for ties."""
    level: float
    """Confidence level of the interval."""
    n_pairs: int
    """Ordered pairs, which are those that count; similar pairs do not."""
    n_images: int
    """Images that occur in a pair of the test set."""
    n_correct: int
    n_tied: int
    spearman: float | None
    """Rank correlation of strengths and scores of the images, the mean for several splits; None without scores."""
    strengths: NDArray[Any] | None
    """Strength of each test image, NaN for those in no pair; None without strengths, and for several splits."""
    margins: NDArray[Any] | None
    """Margin of each test pair; None for a method with strengths, and for several splits."""

    @property
    def lower(self) -> float | None:
        """The lower end of the confidence interval."""
        return None if self.interval is None else self.interval[0]

    @property
    def upper(self) -> float | None:
        """The upper end of the confidence interval."""
        return None if self.interval is None else self.interval[1]

    def as_series(self) -> pd.Series:
        """All numbers as one row, for ``pd.DataFrame([e.as_series() for e in evaluations])``."""
        import pandas as pd

        skipped = ("strengths", "margins", "parameters", "interval")
        values = {name: value for name, value in vars(self).items() if name not in skipped}
        chosen = {f"parameter {name}": value for name, value in self.parameters.items()}
        return pd.Series({**values, "lower": self.lower, "upper": self.upper, **chosen}, dtype=object)

    def __str__(self) -> str:
        where = "/".join(part for part in (self.dataset, self.attribute, self.split, self.test) if part)
        interval = "" if self.interval is None else " [{:.2f}, {:.2f}]".format(*(100 * end for end in self.interval))
        return (
            f"{self.method} on {where}: {100 * self.accuracy:.2f} %{interval}, {self.n_pairs:,} pairs of "
            f"{self.n_images:,} images"
        )

    def __repr__(self) -> str:
        return f"<Evaluation {self}>"

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
    not finite. Warns if the model was fitted on labels of images of the test set, for example on all those of
    `LoadedDataset.training_set`.

    Examples
    --------
    >>> import relattr
    >>> task = relattr.load_dataset("glyphs", n_train=30, n_test=20).task("global")
    >>> evaluation = evaluate(relattr.load_method("chance").fit(task.train), task)
    >>> evaluation.n_pairs, evaluation.n_images
    (190, 20)
    """
    from relattr.statistics import Design
    from relattr.task import Task

    _check_model(model)
    model.require_fitted()
    _check_level(level)
    part = _evaluate_part(model, task, test)
    warn_of_seen_images(model, task, part.test)
    design = Design([(part.test.pairs, part.test.images.indices)]) if part.row.ties == "error" else None
    judgements = [] if design is None else [design.judge(0, strengths=part.strengths, margins=part.margins)]
    name = task.name if isinstance(task, Task) else None
    return Evaluation(
        method=model.name,
        parameters=model.parameters,
        dataset=name.dataset if name is not None else "",
        attribute=name.attribute if name is not None else "",
        split=name.split if name is not None else "",
        test=part.row.test,
        accuracy=part.row.accuracy,
        interval=_interval(design, judgements, level),
        level=level,
        n_pairs=part.row.n_ordered,
        n_images=part.row.n_images,
        n_correct=part.row.n_correct,
        n_tied=part.row.n_tied,
        spearman=part.row.spearman,
        strengths=part.strengths,
        margins=part.margins,
    )


def cross_validate(
    model: Model,
    dataset: LoadedDataset,
    attribute: str | None = None,
    *,
    test: str | None = None,
    level: float = LEVEL,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
) -> Evaluation:
    """Fit a model on the training set of each split of an attribute, and evaluate it on the test set of that split.

    For the folds of a cross-validation, as of small sets of your own photographs, the accuracy is that on the pairs of
    all folds together; for other splits it is the mean over splits. The rank correlation is the mean over folds or
    splits. Tables show the same. The model is not changed.

    Parameters
    ----------
    model : Model
        The model; it need not be fitted.
    dataset : LoadedDataset
        The dataset, from `relattr.load_dataset`.
    attribute : str, optional
        One of its attributes; optional if there is only one.
    test, level
        As in `evaluate`.
    seed, device, threads
        As in `Model.fit`.

    Returns an `Evaluation` without strengths and margins. Raises as `LoadedDataset.task`, `Model.fit` and `evaluate`.

    Examples
    --------
    >>> import relattr
    >>> dataset = relattr.load_dataset("glyphs-aligned", n_train=30, n_test=20)
    >>> cross_validate(relattr.load_method("chance"), dataset).n_pairs
    190
    """
    import numpy as np

    from relattr.interface.loaded_dataset import LoadedDataset
    from relattr.pairs import Pairs
    from relattr.statistics import Design

    _check_model(model)
    if not isinstance(dataset, LoadedDataset):
        raise BadInput(f"cross_validate takes a dataset, from relattr.load_dataset; got {shortened(repr(dataset))}")
    _check_level(level)
    name = dataset.attribute(attribute)
    parts = []
    for task_name in dataset.tasks():
        if task_name.attribute == name:
            task = dataset.task(task_name)
            fitted = model.unfitted_copy().fit(task.train, seed=seed, device=device, threads=threads)
            parts.append(_evaluate_part(fitted, task, test))
    if not parts:
        raise BadInput(f"{dataset.name} has no split of {name!r} to train on and to test")
    rows = [part.row for part in parts]
    pooled = rows[0].fold
    design, judgements = None, []
    if rows[0].ties == "error" and pooled:
        pairs = Pairs.concatenate([part.pairs_of_dataset for part in parts])
        design = Design([(pairs, None)], cross_validated=True)
        judgements = [design.judge(0, margins=np.concatenate([part.all_margins for part in parts]))]
    elif rows[0].ties == "error":
        design = Design([(part.test.pairs, part.test.images.indices) for part in parts])
        judgements = [design.judge(k, strengths=part.strengths, margins=part.margins) for k, part in enumerate(parts)]
    weights = np.array([row.n_ordered for row in rows]) if pooled else np.ones(len(rows))
    images = np.concatenate([part.test.images.indices[part.test.pairs.images] for part in parts])
    return Evaluation(
        method=model.name,
        parameters=model.parameters,
        dataset=dataset.name,
        attribute=name,
        split=f"{len(rows)} {'folds' if pooled else 'splits'}" if len(rows) > 1 else dataset.splits[0],
        test=rows[0].test,
        accuracy=float(np.average([row.accuracy for row in rows], weights=weights)),
        interval=_interval(design, judgements, level),
        level=level,
        n_pairs=sum(row.n_ordered for row in rows),
        n_images=int(np.unique(images).size),
        n_correct=sum(row.n_correct for row in rows),
        n_tied=sum(row.n_tied for row in rows),
        spearman=_mean([row.spearman for row in rows]),
        strengths=None,
        margins=None,
    )


@dataclass(frozen=True)
class _Part:
    """The outcome of a fitted model on one test set."""

    test: TestSet
    row: TestResult
    strengths: NDArray[Any] | None
    margins: NDArray[Any] | None

    @property
    def pairs_of_dataset(self) -> Pairs:
        """The pairs of the test set, as pairs of the images of the dataset."""
        pairs, index = self.test.pairs, self.test.images.indices
        return type(pairs)(index[pairs.left], index[pairs.right], pairs.label)

    @property
    def all_margins(self) -> NDArray[Any]:
        """The margin of each pair."""
        if self.margins is not None:
            return self.margins
        assert self.strengths is not None
        return self.strengths[self.test.pairs.left] - self.strengths[self.test.pairs.right]


def _evaluate_part(model: Model, task: Task | TestSet, test: str | None) -> _Part:
    from relattr.execution.evaluate import evaluate_test_set
    from relattr.harness.arrays import CellArrays

    test_set = _test_set(model, task, test)
    arrays = CellArrays()
    row = evaluate_test_set(model.method, test_set, arrays)
    return _Part(test_set, row, arrays.strengths.get(row.test), arrays.margins.get(row.test))


def _mean(correlations: Sequence[float | None]) -> float | None:
    """The mean correlation; None if a test set has none."""
    known = [value for value in correlations if value is not None]
    return sum(known) / len(known) if len(known) == len(correlations) else None


def _check_model(model: object) -> None:
    if not isinstance(model, Model):
        raise BadInput(f"expected a model, from relattr.load_method or load_model; got {shortened(repr(model))}")


def _check_level(level: float) -> None:
    if not isinstance(level, Real) or not 0 < level < 1:
        raise BadInput(f"level is {shortened(repr(level))}; expected a number between 0 and 1")


def _interval(design: Design | None, judgements: Sequence[Judgement], level: float) -> tuple[float, float] | None:
    """The confidence interval of the mean accuracy; None for a method with another rule for ties."""
    from relattr.statistics import estimate_accuracy

    if design is None:
        return None
    estimate = estimate_accuracy(design, judgements, level=level)
    return estimate.lower, estimate.upper


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
