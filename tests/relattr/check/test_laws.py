"""`relattr check` detects plugins that break a law in subtle ways, and passes correct ones."""

from __future__ import annotations

import numpy as np
import pytest

from relattr import Dataset, Images, Method, Pairs, Task, TaskName, TestSet, TrainingSet, UnknownName
from relattr.check import datasets, methods
from relattr.check.law import Check
from relattr.registry import Plugin


def check_results(laws, subject):
    return {law.name: Check(law, "it", lambda: subject).run() for law in laws}


def method_outcomes(cls, *names):
    laws = [law for law in methods.LAWS if law.name in names]
    results = check_results(laws, methods.MethodUnderTest(Plugin("it", "It", cls, {})))
    return {name: result.outcome for name, result in results.items()}


class Plain(Method):
    """Mean brightness, with the sign that fits the training pairs."""

    def fit(self, train, run):
        self.slope = np.array(self._slope(train))

    @staticmethod
    def _slope(train):
        x = np.array([train.images[k].mean() for k in range(len(train.images))])
        left, right, label = train.pairs.arrays
        return ((x[left] - x[right]) * label).sum()

    def strength(self, images):
        return self.slope * np.array([images[k].mean() for k in range(len(images))])

    def state(self):
        return {"slope": self.slope}

    def restore(self, state):
        self.slope = state["slope"]


class ReadsLabels(Plain):
    """Adds the label to its margins, consistently for swapped and repeated pairs."""

    has_strength = False

    def compare(self, images, pairs):
        return super().compare(images, pairs) + abs(self.slope) * pairs.label


class StoresStateInClass(Plain):
    """Stores its fitted state in its class."""

    slope = 1.0

    def fit(self, train, run):
        type(self).slope = self._slope(train)

    def strength(self, images):
        return type(self).slope * np.array([images[k].mean() for k in range(len(images))])

    def state(self):
        return {"nothing": np.zeros(1)}

    def restore(self, state):
        pass


def test_use_of_test_labels_is_detected():
    assert method_outcomes(Plain, "labels", "sides", "order") == dict.fromkeys(("labels", "sides", "order"), "passed")
    assert method_outcomes(ReadsLabels, "labels", "sides", "order") == {
        "labels": "failed",
        "sides": "passed",
        "order": "passed",
    }


def test_state_stored_in_the_class_is_detected():
    assert method_outcomes(Plain, "save-load") == {"save-load": "passed"}
    assert method_outcomes(StoresStateInClass, "save-load") == {"save-load": "failed"}


def grey(n, offset=0):
    return [np.full((6, 6, 3), offset + k, np.uint8) for k in range(n)]


class Shades(Dataset):
    """Grey squares."""

    citation = licence = homepage = "x"
    shuffled: bool = False
    leaks: int = 0

    def attributes(self):
        return ["grey"]

    def fingerprint(self):
        return "shades"

    def task(self, name):
        if name != TaskName("it", "grey", "standard"):
            raise UnknownName("task", str(name), [])
        train, test = grey(30), grey(30, 100)
        test[: self.leaks] = train[: self.leaks]
        if self.shuffled:
            order = np.random.default_rng().permutation(30)
            train = [train[k] for k in order]
        pairs = Pairs.from_scores(np.arange(30.0))
        scores = np.arange(30.0)
        sets = TrainingSet(Images.from_arrays(train), pairs, scores=scores)
        return Task(name, sets, [TestSet("test", Images.from_arrays(test), pairs)], "squares")


def dataset_results(**values):
    entry = Plugin("it", "It", Shades, values)
    return check_results(datasets.LAWS, datasets.DatasetUnderTest(entry))


def test_images_shuffled_under_fixed_labels_are_detected():
    assert dataset_results()["same-task"].outcome == "passed"
    result = dataset_results(shuffled=True)["same-task"]
    assert result.outcome == "failed"
    assert "its training images differ when it is loaded twice" in result.detail


def test_a_leak_between_two_collections_is_detected():
    assert dataset_results()["no-leak"].outcome == "passed"
    result = dataset_results(leaks=1)["no-leak"]
    assert result.outcome == "failed"
    assert "1 test images are training images" in result.detail


def test_an_incomplete_comparison_of_images_is_reported(monkeypatch):
    assert dataset_results()["no-leak"].detail == ""
    monkeypatch.setattr(datasets, "MAX_COMPARED", 10)
    assert "by content at most 10 training and test images" in dataset_results()["no-leak"].detail


def test_an_unknown_parameter_is_the_callers_error():
    from relattr.check import dataset_checks, method_checks

    with pytest.raises(UnknownName, match="gama"):
        method_checks("chance", values={"gama": 2})
    with pytest.raises(UnknownName, match="pth"):
        dataset_checks("folder", values={"pth": "own"})
