"""One cell from its task to its result, in this process."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from relattr import parameters
from relattr.dataset import Dataset
from relattr.harness.cell import Cell
from relattr.harness.execute import execute
from relattr.harness.provenance import provenance
from relattr.harness.result import Result, TestResult, decode, encode
from relattr.images import Images
from relattr.method import Method
from relattr.pairs import Pairs
from relattr.registry import Entry, Registry
from relattr.run import Run
from relattr.task import Task, TestSet, TrainingSet

BRIGHTNESS = [30, 10, 20, 50, 40, 0]


def grey(values: list[int]) -> Images:
    return Images.from_arrays([np.full((4, 4, 3), v, np.uint8) for v in values])


class Squares(Dataset):
    """Grey squares; of the test images the last is in no pair."""

    def attributes(self) -> list[str]:
        return ["brightness"]

    def fingerprint(self) -> str:
        return "squares"

    def task(self, name: Any) -> Task:
        train = TrainingSet(grey(BRIGHTNESS), Pairs.from_scores(np.array(BRIGHTNESS, float)))
        pairs = Pairs([0, 1, 2, 3], [1, 2, 3, 4], [1, -1, -1, 1])
        scores = np.array([3.0, 1.0, 2.0, 4.0, 5.0, 99.0])  # not quite the brightness
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
    registry.methods["m"] = Entry("m", "M", method, {})
    registry.datasets["squares"] = Entry("squares", "Squares", dataset, {})
    values = parameters.values_of(method())
    cell = Cell("m", values, "squares", {}, "brightness", "standard", 0)
    result, _ = execute(cell, registry, {}, provenance("cpu", 1), Run())
    return result


def test_strengths_are_correlated_with_the_scores_of_paired_images() -> None:
    result = result_of(Brightness)
    scored, plain = result.tests
    assert (scored.n_correct, scored.n_ordered) == (plain.n_correct, plain.n_ordered) == (4, 4)
    # ranks of 30 10 20 50 40 against 3 1 2 4 5: the last two are exchanged
    assert scored.spearman == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert plain.spearman is None
    assert decode(encode(result)) == result


def test_margins_have_no_correlation() -> None:
    assert [t.spearman for t in result_of(Jointly).tests] == [None, None]


def test_a_correlation_beyond_one_is_no_result() -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=r"between -1 and 1, not 1\.5"):
        TestResult("t", 2, 1, 1, 1, 0, spearman=1.5)
