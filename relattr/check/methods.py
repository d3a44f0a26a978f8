"""The laws of a method."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr import parameters
from relattr.check import problem
from relattr.check.law import Law, NotApplicable, demand
from relattr.errors import Blocked
from relattr.method import Method
from relattr.mixins import UsesPairAnswers
from relattr.pairs import Pairs
from relattr.registry import Plugin
from relattr.run import Run
from relattr.statistics import count_margins
from relattr.task import TrainingSet

TOLERANCE = 1e-3
"""How far two margins may differ that should be the same, in units of their standard deviation."""
LEARNT = 0.8
"""Accuracy on unseen images that counts as having learnt the problem (chance is 0.5)."""
CHANCE = 0.15
"""How far from 0.5 the accuracy may be after labels that say nothing."""


class MethodUnderTest:
    """A method under examination; what several laws look at is fitted once."""

    def __init__(self, entry: Plugin[Method], values: Mapping[str, Any] | None = None) -> None:
        self.entry = entry
        self.values = {**entry.cls.check_with, **(values or {})}

    def new(self) -> Method:
        """An instance that is not fitted."""
        method = self.entry.create(self.values)
        for need in method.needs():
            why = need.missing()
            if why is not None:
                raise Blocked(why)
        return method

    def fit(self, train: TrainingSet, seed: int = 0) -> Method:
        """An instance fitted on this training set."""
        method = self.new()
        method.fit(train, Run(seed=seed, device="cpu", threads=1))
        return method

    @property
    def questions(self) -> dict[str, Sequence[str]]:
        """The answers about pairs that the method requires."""
        method = self.entry.create(self.values)
        return method.questions if isinstance(method, UsesPairAnswers) else {}

    def make(self) -> problem.Problem:
        """The problem, made anew, with the answers that the method asks for."""
        return problem.make(self.questions)

    @cached_property
    def problem(self) -> problem.Problem:
        return self.make()

    @cached_property
    def fitted(self) -> Method:
        _scramble(1)
        return self.fit(self.problem.train)

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """Of the fitted method on the test pairs, ``(n_pairs,)``."""
        return np.asarray(self.fitted.compare(self.problem.test, self.problem.pairs))

    @cached_property
    def noise(self) -> list[float]:
        """The accuracy after a random labelling, and after its reverse."""
        strengths = np.random.default_rng(5).permutation(np.linspace(0.0, 1.0, problem.N_TRAIN))
        return [self.accuracy(self.fit(self.problem.relabelled(x))) for x in (strengths, 1.0 - strengths)]

    def accuracy(self, method: Method) -> float:
        """On the test pairs, in [0, 1]."""
        return count_margins(method.compare(self.problem.test, self.problem.pairs), self.problem.pairs).accuracy


def _scramble(seed: int) -> None:
    """Put the global generators into another state; a method that uses them shows it."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _same(found: NDArray[Any], expected: NDArray[Any], what: str, scale: float | None = None) -> None:
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    demand(found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}")
    if not expected.size:
        return
    scale = (float(np.std(expected)) if scale is None else scale) or 1.0
    worst = int(np.argmax(np.abs(found - expected)))
    demand(
        abs(found[worst] - expected[worst]) <= TOLERANCE * scale,
        f"{what}: margin {worst} is {found[worst]:.6g}, expected {expected[worst]:.6g}",
    )


def describes_itself(s: MethodUnderTest) -> None:
    entry = s.entry
    demand(entry.summary, f"class {entry.cls.__name__} has no docstring")
    demand(entry.label.strip(), "its label is empty")
    method = entry.create()
    demand(all(isinstance(text, str) and text for text in method.deviations()), "deviations() must give texts")
    for need in method.needs():
        why = need.missing()
        demand(why is None or (isinstance(why, str) and why), f"{need}.missing() gave {why!r}; expected text or None")
        demand(isinstance(need.fingerprint(), str), f"{need}.fingerprint() gave no text")


def parameters_are_plain(s: MethodUnderTest) -> None:
    method = s.entry.create(s.values)
    values = parameters.values_of(method)
    text = json.dumps(values)
    again = s.entry.create(json.loads(text))
    demand(parameters.values_of(again) == values, f"parameters {values} come back from JSON as other ones")


def margins_are_numbers(s: MethodUnderTest) -> None:
    demand(
        s.margins.shape == (len(s.problem.pairs),),
        f"compare gave shape {s.margins.shape} for {len(s.problem.pairs)} pairs",
    )
    demand(np.issubdtype(s.margins.dtype, np.floating), f"compare gave {s.margins.dtype}; expected real numbers")
    demand(np.isfinite(s.margins).all(), f"{(~np.isfinite(s.margins)).sum()} margins are NaN or infinite")
    none = np.asarray(s.fitted.compare(s.problem.test, Pairs([], [], [])))
    demand(none.shape == (0,), f"compare gave shape {none.shape} for no pairs; expected (0,)")


def sides_negate(s: MethodUnderTest) -> None:
    _same(s.fitted.compare(s.problem.test, s.problem.pairs.swapped()), -s.margins, "with left and right exchanged")


def order_is_nothing(s: MethodUnderTest) -> None:
    shuffled = np.random.default_rng(0).permutation(len(s.problem.pairs))
    some = np.concatenate([shuffled, shuffled[:50], shuffled[:50]])
    _same(
        s.fitted.compare(s.problem.test, s.problem.pairs.take(some)),
        s.margins[some],
        "with pairs in another order and some of them repeated",
    )


def labels_are_not_read(s: MethodUnderTest) -> None:
    pairs = s.problem.pairs
    for label in (np.zeros(len(pairs), np.int8), -pairs.label):
        found = s.fitted.compare(s.problem.test, Pairs(pairs.left, pairs.right, label))
        _same(found, s.margins, "with other labels on the same test pairs")


def strengths_are_transitive(s: MethodUnderTest) -> None:
    if not s.fitted.has_strength:
        raise NotApplicable("it compares pairs jointly and claims no strength")
    a, b, c = (np.random.default_rng(k).permutation(problem.N_TEST) for k in range(3))
    different = (a != b) & (b != c) & (a != c)
    a, b, c = a[different], b[different], c[different]
    zero = np.zeros(a.size, np.int8)
    ab, bc, ac = (s.fitted.compare(s.problem.test, Pairs(x, y, zero)) for x, y in ((a, b), (b, c), (a, c)))
    _same(ab + bc, ac, "margin(a, b) + margin(b, c) against margin(a, c)")


def company_is_nothing(s: MethodUnderTest) -> None:
    first = s.problem.pairs.take(np.arange(5))
    alone = np.concatenate([s.fitted.compare(s.problem.test, first.take(np.array([k]))) for k in range(len(first))])
    _same(alone * 1.0, s.margins[:5], "pairs compared one by one against all together") if np.std(
        s.margins[:5]
    ) else None


def same_seed_same_result(s: MethodUnderTest) -> None:
    expected = s.margins
    _scramble(2)
    again = s.fit(s.make().train)
    _same(again.compare(s.problem.test, s.problem.pairs), expected, "fitted again with the same seed")


def input_is_not_touched(s: MethodUnderTest) -> None:
    made = s.make()
    before = _contents(made.train)
    s.fit(made.train)
    after = _contents(made.train)
    for what, digest in before.items():
        demand(after[what] == digest, f"fit changed the training {what}")


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


def saves_and_loads(s: MethodUnderTest) -> None:
    expected = s.margins
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted.npz"
        s.fitted.save(path)
        with np.load(path, allow_pickle=False) as arrays:  # raises for what only pickle could hold
            for name in arrays.files:
                demand(arrays[name].dtype.kind in "biufcUS", f"{name} was saved as {arrays[name].dtype}")
        again = s.new()
        again.load(path)
    assert s.noise  # what other fits leave in the class, or anywhere else they share, is not what was loaded
    _same(again.compare(s.problem.test, s.problem.pairs), expected, "saved and loaded")


def nothing_from_noise(s: MethodUnderTest) -> None:
    # one random labelling can point anywhere along the one thing that varies; with its reverse it averages out
    accuracies = s.noise
    mean = sum(accuracies) / 2
    demand(
        abs(mean - 0.5) <= CHANCE,
        f"accuracy is {accuracies[0]:.2f} after random labels and {accuracies[1]:.2f} after the same ones reversed; "
        f"the mean, {mean:.2f}, should be within {CHANCE} of 0.5",
    )


def learns(s: MethodUnderTest) -> None:
    accuracy = count_margins(s.margins, s.problem.pairs).accuracy
    demand(accuracy >= LEARNT, f"accuracy on unseen images is {accuracy:.2f}, expected at least {LEARNT}")


def test_images_change_nothing(s: MethodUnderTest) -> None:
    expected = s.margins
    before = _state(s.fitted)
    s.fitted.compare(s.problem.others, s.problem.other_pairs)
    demand(_state(s.fitted) == before, "comparing changed what was fitted")
    _same(s.fitted.compare(s.problem.test, s.problem.pairs), expected, "after comparing other images")


def _state(method: Method) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(method.state().items()):
        digest.update(key.encode())
        digest.update(np.ascontiguousarray(value).tobytes() if np.asarray(value).dtype != object else b"")
    return digest.hexdigest()


def _law(name: str, statement: str, look: Callable[[MethodUnderTest], None]) -> Law:
    return Law(name, statement, look)


LAWS = (
    _law("described", "it has a docstring, a label, and says what it needs", describes_itself),
    _law("plain-parameters", "its parameters come back from JSON as they were", parameters_are_plain),
    _law("margins", "compare gives one finite real number for each pair, also for none", margins_are_numbers),
    _law("sides", "exchanging left and right negates the margin", sides_negate),
    _law("order", "order and repetition of pairs change nothing", order_is_nothing),
    _law("labels", "a margin does not depend on the label of the pair", labels_are_not_read),
    _law("transitive", "a strength claims transitivity: margins add up along a chain", strengths_are_transitive),
    _law("company", "a margin does not depend on which other pairs are asked for", company_is_nothing),
    _law("same-seed", "the same seed gives the same result, whatever global generators hold", same_seed_same_result),
    _law("input", "fit does not touch its input", input_is_not_touched),
    _law("save-load", "a fitted method saves and loads without pickle and gives the same margins", saves_and_loads),
    _law("test-images", "test images never change what was fitted", test_images_change_nothing),
    _law("noise", "labels that say nothing give chance", nothing_from_noise),
    _law("learns", "separable data without label noise is learnt", learns),
)
"""The laws, cheap ones first."""
