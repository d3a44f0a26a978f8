"""A method that is registered for one test: it learns whether bright or dark images have more of the attribute."""

from __future__ import annotations

import numpy as np
import pytest

import relattr
from relattr import Method
from relattr.interface.model import Model
from relattr.registry import Plugin, registry


class Brightness(Method):
    """Ranks images by their mean grey level."""

    gamma: float = 1.0

    def fit(self, train, run):
        self.sign_, self.seed_ = 1.0, run.seed_for("brightness")
        margins = self.compare(train.images, train.pairs)
        self.sign_ = 1.0 if (margins * train.pairs.label).sum() >= 0 else -1.0

    def strength(self, images):
        return self.sign_ * np.array([((image / 255.0) ** self.gamma).mean() for image in images])


class PairwiseBrightness(Brightness):
    """Compares pairs without strengths."""

    def compare(self, images, pairs):
        grey = np.array([image.mean() for image in images])
        return getattr(self, "sign_", 1.0) * (grey[pairs.left] - grey[pairs.right])

    def strength(self, images):
        raise TypeError("it has no strengths")


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    """The methods ``brightness`` and ``pairwise-brightness``, for this test."""
    relattr.list_methods()
    for name, cls in (("brightness", Brightness), ("pairwise-brightness", PairwiseBrightness)):
        monkeypatch.setitem(registry.methods, name, Plugin(name, name.title(), cls, {}))


@pytest.fixture(scope="session")
def task():
    """A small task, whose images are drawn once."""
    return relattr.load_dataset("glyphs", n_train=16, n_test=14, size=32).task("global")


@pytest.fixture
def model(task) -> Model:
    """A fitted model."""
    return relattr.load_method("brightness").fit(task.train, seed=3, device="cpu", threads=1)


@pytest.fixture
def bench(workspace):
    """A function that runs the benchmark of the workspace, which has a method that works and one that fails."""
    workspace.write_method("works")
    workspace.write_method("fails", "raise ValueError('it cannot')")
    file = workspace.write_benchmark()

    def run(**settings):
        folders = {"results": workspace.folder / "results", "plugins": workspace.plugins}
        return relattr.run(str(file), **{**folders, "backend": "inline", "verbose": False, **settings})

    return run
