"""The laws of a method."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr import parameters
from relattr.check import problem
from relattr.check.identity import fingerprint_is_complete
from relattr.check.law import Law, NotApplicable, require
from relattr.errors import Blocked
from relattr.method import Method
from relattr.mixins import PairAnswersMixin
from relattr.needs import needs_of
from relattr.pairs import Pairs
from relattr.registry import Plugin
from relattr.run_settings import Run
from relattr.statistics import count_margins
from relattr.task import TrainingSet

TOLERANCE = 1e-3
"""Largest difference between two margins that should be equal, in units of their standard deviation."""
MIN_ACCURACY = 0.8
"""Required accuracy on unseen images (chance is 0.5)."""
NOISE_MARGIN = 0.15
"""Largest distance of the accuracy from 0.5 after training on random labels."""


class MethodUnderTest:
    """The method under test; what several laws need is fitted once and cached."""

    def __init__(self, plugin: Plugin[Method], values: Mapping[str, Any] | None = None) -> None:
        self.plugin = plugin
        self.values = {**plugin.cls.check_with, **(values or {})}

    def new(self) -> Method:
        """A new, unfitted instance. Raises `Blocked` if a need is missing."""
        method = self.plugin.create(self.values)
        for need in needs_of(method):
            why = need.missing()
            if why is not None:
                raise Blocked(why)
        return method

    def fit(self, train: TrainingSet, seed: int = 0) -> Method:
        """A new instance, fitted on this training set."""
        method = self.new()
        method.fit(train, Run(seed=seed, device="cpu", threads=1))
        return method

    @property
    def questions(self) -> dict[str, Sequence[str]]:
        """The answers about pairs that the method requires."""
        method = self.plugin.create(self.values)
        return method.questions if isinstance(method, PairAnswersMixin) else {}

    def new_problem(self) -> problem.Problem:
        """A new instance of the problem, with the answers that the method requires."""
        return problem.make_problem(self.questions)

    @cached_property
    def problem(self) -> problem.Problem:
        return self.new_problem()

    @cached_property
    def fitted(self) -> Method:
        _scramble(1)
        return self.fit(self.problem.train)

    @cached_property
    def refitted(self) -> tuple[Method, dict[str, str], dict[str, str]]:
        """A second fit with the same seed, on a new instance of the problem.

        The method, and digests of the training set before and after `fit`.
        """
        _scramble(2)
        train = self.new_problem().train
        before = _contents(train)
        method = self.fit(train)
        return method, before, _contents(train)

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """The margins of the fitted method on the test pairs, ``(n_pairs,)``."""
        return np.asarray(self.fitted.compare(self.problem.test, self.problem.pairs))

    @cached_property
    def noise(self) -> list[float]:
        """The accuracy after training on random labels, and on the same labels reversed."""
        strengths = np.random.default_rng(5).permutation(np.linspace(0.0, 1.0, problem.N_TRAIN))
        return [self.accuracy(self.fit(self.problem.relabelled(x))) for x in (strengths, 1.0 - strengths)]

    def accuracy(self, method: Method) -> float:
        """The accuracy on the test pairs, in [0, 1]."""
        return count_margins(method.compare(self.problem.test, self.problem.pairs), self.problem.pairs).accuracy


def _scramble(seed: int) -> None:
    """Reseed the global random generators, so that a method that uses them gives different results."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _require_equal(margins: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    margins, expected = np.asarray(margins, np.float64), np.asarray(expected, np.float64)
    require(margins.shape == expected.shape, f"{what}: shape {margins.shape}, expected {expected.shape}")
    if not expected.size:
        return
    scale = float(np.std(expected)) or 1.0
    worst = int(np.argmax(np.abs(margins - expected)))
    require(
        abs(margins[worst] - expected[worst]) <= TOLERANCE * scale,
        f"{what}: margin {worst} is {margins[worst]:.6g}, expected {expected[worst]:.6g}",
    )


def has_description(subject: MethodUnderTest) -> None:
    plugin = subject.plugin
    require(plugin.summary, f"class {plugin.cls.__name__} has no docstring")
    require(plugin.label.strip(), "its label is empty")
    method = plugin.create()
    require(all(isinstance(text, str) and text for text in method.deviations()), "deviations() must return strings")
    require(all(isinstance(text, str) and text for text in method.notes()), "notes() must return strings")
    for need in needs_of(method):
        why = need.missing()
        require(
            why is None or (isinstance(why, str) and why),
            f"{need}.missing() returned {why!r}; expected a string or None",
        )
        require(isinstance(need.fingerprint(), str), f"{need}.fingerprint() did not return a string")


def parameters_are_plain(subject: MethodUnderTest) -> None:
    method = subject.plugin.create(subject.values)
    values = parameters.values_of(method)
    text = json.dumps(values)
    again = subject.plugin.create(json.loads(text))
    require(parameters.values_of(again) == values, f"parameters {values} change when written to JSON and read back")


def margins_are_numbers(subject: MethodUnderTest) -> None:
    require(
        subject.margins.shape == (len(subject.problem.pairs),),
        f"compare returned shape {subject.margins.shape} for {len(subject.problem.pairs)} pairs",
    )
    require(
        np.issubdtype(subject.margins.dtype, np.floating),
        f"compare returned {subject.margins.dtype}; expected a float type",
    )
    require(np.isfinite(subject.margins).all(), f"{(~np.isfinite(subject.margins)).sum()} margins are NaN or infinite")
    empty = np.asarray(subject.fitted.compare(subject.problem.test, Pairs([], [], [])))
    require(empty.shape == (0,), f"compare returned shape {empty.shape} for an empty set of pairs; expected (0,)")


def is_antisymmetric(subject: MethodUnderTest) -> None:
    _require_equal(
        subject.fitted.compare(subject.problem.test, subject.problem.pairs.swapped()),
        -subject.margins,
        "with left and right swapped",
    )


def order_of_pairs_is_irrelevant(subject: MethodUnderTest) -> None:
    shuffled = np.random.default_rng(0).permutation(len(subject.problem.pairs))
    some = np.concatenate([shuffled, shuffled[:50], shuffled[:50]])
    _require_equal(
        subject.fitted.compare(subject.problem.test, subject.problem.pairs.take(some)),
        subject.margins[some],
        "with pairs in another order and some of them repeated",
    )


def test_labels_are_not_used(subject: MethodUnderTest) -> None:
    pairs = subject.problem.pairs
    for label in (np.zeros(len(pairs), np.int8), -pairs.label):
        margins = subject.fitted.compare(subject.problem.test, Pairs(pairs.left, pairs.right, label))
        _require_equal(margins, subject.margins, "with other labels on the same test pairs")


def margins_are_transitive(subject: MethodUnderTest) -> None:
    if not subject.fitted.has_strength:
        raise NotApplicable("it compares pairs jointly and has no strength")
    a, b, c = (np.random.default_rng(k).permutation(problem.N_TEST) for k in range(3))
    different = (a != b) & (b != c) & (a != c)
    a, b, c = a[different], b[different], c[different]
    zero = np.zeros(a.size, np.int8)
    ab, bc, ac = (subject.fitted.compare(subject.problem.test, Pairs(x, y, zero)) for x, y in ((a, b), (b, c), (a, c)))
    _require_equal(ab + bc, ac, "margin(a, b) + margin(b, c) against margin(a, c)")


def pairs_are_independent(subject: MethodUnderTest) -> None:
    first = subject.problem.pairs.take(np.arange(5))
    alone = np.concatenate(
        [subject.fitted.compare(subject.problem.test, first.take(np.array([k]))) for k in range(len(first))]
    )
    if np.std(subject.margins[:5]):
        _require_equal(alone, subject.margins[:5], "pairs compared one by one against all at once")


def is_reproducible(subject: MethodUnderTest) -> None:
    expected = subject.margins
    again, _, _ = subject.refitted
    _require_equal(
        again.compare(subject.problem.test, subject.problem.pairs), expected, "fitted again with the same seed"
    )


def fit_leaves_input_unchanged(subject: MethodUnderTest) -> None:
    _, before, after = subject.refitted
    for what, digest in before.items():
        require(after[what] == digest, f"fit modified the training {what}")


def _contents(train: TrainingSet) -> dict[str, str]:
    parts: dict[str, list[NDArray[Any]]] = {
        "images": [train.images[k] for k in range(len(train.images))],
        "pairs": list(train.pairs.arrays),
        "scores": [np.asarray(train.scores)],
        "categories": [np.asarray(train.categories)],
    }
    return {
        what: hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
        for what, arrays in parts.items()
    }


def saves_and_loads(subject: MethodUnderTest) -> None:
    expected = subject.margins
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted.npz"
        subject.fitted.save(path)
        with np.load(path, allow_pickle=False) as arrays:  # raises for arrays that require pickle
            for name in arrays.files:
                require(arrays[name].dtype.kind in "biufcUS", f"{name} was saved as {arrays[name].dtype}")
        again = subject.new()
        again.load(path)
    assert subject.noise  # further fits, so that state shared through the class would overwrite what was loaded
    _require_equal(again.compare(subject.problem.test, subject.problem.pairs), expected, "after saving and loading")


def random_labels_give_chance(subject: MethodUnderTest) -> None:
    # images vary along one dimension, so one random labelling may correlate with it; its reverse cancels that
    accuracies = subject.noise
    mean = sum(accuracies) / 2
    require(
        abs(mean - 0.5) <= NOISE_MARGIN,
        f"accuracy is {accuracies[0]:.2f} after random labels and {accuracies[1]:.2f} after the same labels reversed; "
        f"the mean, {mean:.2f}, should be within {NOISE_MARGIN} of 0.5",
    )


def learns_noise_free_problem(subject: MethodUnderTest) -> None:
    accuracy = count_margins(subject.margins, subject.problem.pairs).accuracy
    require(accuracy >= MIN_ACCURACY, f"accuracy on unseen images is {accuracy:.2f}, expected at least {MIN_ACCURACY}")


def comparing_leaves_state_unchanged(subject: MethodUnderTest) -> None:
    expected = subject.margins
    before = _state(subject.fitted)
    subject.fitted.compare(subject.problem.others, subject.problem.other_pairs)
    require(_state(subject.fitted) == before, "compare modified the fitted state")
    _require_equal(
        subject.fitted.compare(subject.problem.test, subject.problem.pairs), expected, "after comparing other images"
    )


def _state(method: Method) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(method.state().items()):
        digest.update(key.encode())
        digest.update(np.ascontiguousarray(value).tobytes() if np.asarray(value).dtype != object else b"")
    return digest.hexdigest()


LAWS = (
    Law(
        "described", "it has a docstring and a label, and needs, deviations and notes are well-formed", has_description
    ),
    Law(
        "identity",
        "its declared files exist; lines that its fingerprint cannot cover are listed as notes",
        fingerprint_is_complete,
    ),
    Law("plain-parameters", "its parameters survive a round trip through JSON", parameters_are_plain),
    Law(
        "margins",
        "compare returns one finite number per pair, also for an empty set of pairs",
        margins_are_numbers,
    ),
    Law("sides", "swapping left and right negates the margin", is_antisymmetric),
    Law("order", "margins do not depend on the order or repetition of pairs", order_of_pairs_is_irrelevant),
    Law("labels", "a margin does not depend on the label of the pair", test_labels_are_not_used),
    Law("transitive", "margins of a method with strengths add up along a chain of images", margins_are_transitive),
    Law("independence", "a margin does not depend on the other pairs in the call", pairs_are_independent),
    Law(
        "same-seed",
        "the same seed gives the same result, whatever the state of global generators",
        is_reproducible,
    ),
    Law("input", "fit does not modify the training set", fit_leaves_input_unchanged),
    Law("save-load", "a fitted method saves and loads without pickle and gives the same margins", saves_and_loads),
    Law("test-images", "comparing images does not modify the fitted state", comparing_leaves_state_unchanged),
    Law("noise", "random labels give chance accuracy", random_labels_give_chance),
    Law("learns", "separable data without label noise is learned", learns_noise_free_problem),
)
"""The laws, in order of increasing cost."""
