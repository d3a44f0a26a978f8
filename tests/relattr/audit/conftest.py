"""Small tasks whose images and pairs the tests choose."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.images import Images
from relattr.pairs import Pairs
from relattr.task import Task, TaskName, TestSet, TrainingSet


@pytest.fixture
def drawn():
    """A function that draws different images."""
    return lambda n: [np.full((4, 4, 3), k, np.uint8) for k in range(n)]


@pytest.fixture
def make_task():
    """A function that makes a task of images and of training and test pairs, with alternating labels."""

    def pairs(indices):
        indices = np.array(indices)
        return Pairs(indices[:, 0], indices[:, 1], np.where(np.arange(len(indices)) % 2, 1, -1))

    def make(arrays, train, test):
        images = Images.from_arrays(arrays)
        tests = [TestSet("test", images, pairs(test))]
        return Task(TaskName("d", "a", "s"), TrainingSet(images, pairs(train)), tests, "synthetic")

    return make
