"""Plugins that break a law in a way that once passed are found out, and right ones are not."""

from __future__ import annotations

import numpy as np
import pytest

from relattr import Dataset, Images, Method, Pairs, Task, TaskName, TrainingSet, UnknownName
from relattr import TestSet as Judged  # pytest would take it for a test
from relattr.check import datasets, methods
from relattr.check.law import Check
from relattr.registry import Plugin


def verdicts(laws, subject):
    return {law.name: Check(law, "it", lambda: subject).run() for law in laws}


def of_method(cls, *names):
    found = verdicts(
        [law for law in methods.LAWS if law.name in names], methods.MethodUnderTest(Plugin("it", "It", cls, {}))
    )
    return {name: finding.verdict for name, finding in found.items()}


class Plain(Method):
    """Mean brightness, the right way up."""

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
    """Adds the answer to its margins, more or less: swapped and repeated as it must be."""

    has_strength = False

    def compare(self, images, pairs):
        return super().compare(images, pairs) + abs(self.slope) * pairs.label


class SharesWhatItLearnt(Plain):
    """Keeps what it learnt in its class."""

    learnt = 1.0

    def fit(self, train, run):
        type(self).learnt = self._slope(train)

    def strength(self, images):
        return type(self).learnt * np.array([images[k].mean() for k in range(len(images))])

    def state(self):
        return {"nothing": np.zeros(1)}

    def restore(self, state):
        pass


def test_a_method_that_reads_the_labels_of_test_pairs():
    assert of_method(Plain, "labels", "sides", "order") == dict.fromkeys(("labels", "sides", "order"), "held")
    assert of_method(ReadsLabels, "labels", "sides", "order") == {"labels": "broken", "sides": "held", "order": "held"}


def test_a_method_that_keeps_what_it_learnt_in_its_class():
    assert of_method(Plain, "save-load") == {"save-load": "held"}
    assert of_method(SharesWhatItLearnt, "save-load") == {"save-load": "broken"}


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
        return Task(name, sets, [Judged("test", Images.from_arrays(test), pairs)], "squares")


def of_dataset(**values):
    entry = Plugin("it", "It", Shades, values)
    return verdicts(datasets.LAWS, datasets.DatasetUnderTest(entry))


def test_a_dataset_that_shuffles_its_images_under_fixed_labels():
    assert of_dataset()["same-task"].verdict == "held"
    found = of_dataset(shuffled=True)["same-task"]
    assert found.verdict == "broken"
    assert "loaded twice, its training images differ" in found.detail


def test_a_test_image_that_is_trained_on_in_another_collection():
    assert of_dataset()["no-leak"].verdict == "held"
    found = of_dataset(leaks=1)["no-leak"]
    assert found.verdict == "broken"
    assert "1 test images are training images" in found.detail


def test_how_far_images_were_compared_is_said_where_it_was_not_all(monkeypatch):
    assert of_dataset()["no-leak"].detail == ""
    monkeypatch.setattr(datasets, "COMPARED", 10)
    assert "by content 10 images a side at most" in of_dataset()["no-leak"].detail


def test_a_parameter_that_a_plugin_does_not_have_is_no_fault_of_the_plugin():
    from relattr.check import dataset_checks, method_checks

    with pytest.raises(UnknownName, match="gama"):
        method_checks("chance", values={"gama": 2})
    with pytest.raises(UnknownName, match="pth"):
        dataset_checks("folder", values={"pth": "own"})
