"""The optional parts of the method contract: which test sets have the required answers, and defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import pytest

from relattr.images import Images, PairAnswers
from relattr.method import Method
from relattr.mixins import InspectionMixin, PairAnswersMixin
from relattr.pairs import Pairs
from relattr.parameters import types_of
from relattr.run_settings import Run
from relattr.task import Task, TaskName, TestSet, TrainingSet


class Voter(PairAnswersMixin, Method):
    """Uses answers about training and test pairs."""

    weight: float = 1.0
    train_answers: ClassVar[Mapping[str, Sequence[str]]] = {"people": ("redder", "rounder")}
    test_answers: ClassVar[Mapping[str, Sequence[str]]] = {"svm": ("redder",)}


class Inspected(InspectionMixin, Method):
    """Has nothing to show."""


@pytest.fixture
def images():
    return Images.from_arrays([np.full((2, 2, 3), level, np.uint8) for level in range(6)])


def test_mixins_add_no_parameter():
    assert set(types_of(Voter)) == {"weight"}
    assert set(types_of(Inspected)) == set()


def test_missing_answers_about_training_pairs_are_named(images):
    pairs = Pairs([0], [1], [1])
    complete = PairAnswers([[0, 1]], [[1, -1]], ["redder", "rounder"])
    other_questions = PairAnswers([[0, 1]], [[1]], ["redder"])
    assert Voter().missing_train_answers(TrainingSet(images, pairs)) == ["people"]
    assert Voter().missing_train_answers(TrainingSet(images.with_answers("people", other_questions), pairs)) == [
        "people"
    ]
    assert Voter().missing_train_answers(TrainingSet(images.with_answers("people", complete), pairs)) == []


def test_only_test_sets_with_all_answers_are_used(images):
    pairs = Pairs([0, 2], [1, 3], [1, -1])
    answered = images.with_answers("svm", PairAnswers([[1, 0], [2, 3]], [[1], [0]], ["redder"]))
    in_part = images.with_answers("svm", PairAnswers([[0, 1]], [[1]], ["redder"]))
    part_of_collection = answered.subset([2, 3])
    tests = [
        TestSet("answered", answered, pairs),
        TestSet("in part", in_part, pairs),
        TestSet("not", images, pairs),
        TestSet("subset", part_of_collection, Pairs([0], [1], [1])),
    ]
    task = Task(TaskName("d", "a", "s"), TrainingSet(images, Pairs([4], [5], [1])), tests, "synthetic")
    assert [test.name for test in Voter().answered_tests(task)] == ["answered", "subset"]
    assert Voter().questions == {"people": ("redder", "rounder"), "svm": ("redder",)}


def test_without_overrides_there_is_nothing_to_inspect(images):
    method = Inspected()
    assert method.boxes(images) is None
    assert method.initial_boxes(images) is None
    assert method.artifacts(TrainingSet(images, Pairs([0], [1], [1])), Run()) == {}
