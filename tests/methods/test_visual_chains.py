"""Visual chains whole: the laws, drawn scenes where it is known what to look at, and what is kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from relattr.backbones.names import Preprocessing, register_backbone, unregister_backbone
from relattr.chains.boxes import transform_boxes
from relattr.chains.hog_templates import hog_templates
from relattr.check import method_checks
from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.registry import registry
from relattr.run import Run
from relattr.statistics import count_margins
from relattr.task import TaskName

registry.discover()
QUICK = {
    "appearance": "hog",
    "discovery": "hog",
    "components": 64,
    "sides": (0.25, 0.375),
    "max_candidates": 40,
    "n_iter": 25,
    "k_init": 4,
    "k_pert": 2,
    "k_ens": 8,
}


@pytest.mark.parametrize("check", method_checks("visual-chains"), ids=str)
def test_contract(check):
    check.assert_passes()


@pytest.fixture(scope="module")
def task():
    return (
        registry.dataset("glyphs").create({"n_train": 100, "n_test": 60}).task(TaskName("glyphs", "local", "standard"))
    )


@pytest.fixture(scope="module")
def fitted(task):
    method = registry.method("visual-chains").create(QUICK)
    method.fit(task.train, Run())
    return method


def test_a_local_attribute_is_ranked_above_chance(task, fitted):
    test = task.tests[0]
    assert count_margins(fitted.compare(test.images, test.pairs), test.pairs).accuracy > 0.6


def test_random_labels_give_chance(task):
    """In place of the law of that name: scenes vary in many ways, so labels by lot point nowhere in particular."""
    test = task.tests[0]
    found = []
    for lot in range(2):
        pairs = Pairs.from_scores(generator(lot, "lot").normal(size=100), count=600, seed=lot)
        method = registry.method("visual-chains").create(QUICK)
        method.fit(dataclasses.replace(task.train, pairs=pairs), Run())
        found.append(count_margins(method.compare(test.images, test.pairs), test.pairs).accuracy)
    assert abs(np.mean(found) - 0.5) < 0.15


def test_artifacts_are_training_patches_weak_to_strong(task, fitted):
    found = fitted.artifacts(task.train, Run())
    which, boxes, accuracy = (found[name] for name in ("chain images", "chain boxes", "chain accuracy"))
    assert which.shape == (3, 10)
    assert boxes.shape == (3, 10, 4)
    assert boxes.dtype == np.float32
    assert (np.diff(accuracy) <= 0).all()
    assert ((accuracy > 0.4) & (accuracy <= 1)).all()
    assert which.min() >= 0
    assert which.max() < 100
    assert (boxes[..., :2] >= 0).all()
    assert (boxes[..., 2:] <= 1).all()
    strength = task.train.scores
    for row in which:
        assert np.unique(row).size == 10
        assert np.median(strength[row[5:]]) > np.median(strength[row[:5]])


def test_strength_uses_patches_of_largest_response(task, fitted):
    """The strength of one image, from the parts that were kept, by loops."""
    image = task.tests[0].images[7]

    def described(boxes):
        rows = hog_templates(image, np.asarray(boxes))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    short = (described(fitted.boxes_) @ fitted.basis_).astype(np.float16).astype(np.float32)
    expected = 0.0
    for parent, move, coef in zip(fitted.parent_, fitted.moves_, fitted.coef_, strict=True):
        liked = max(range(len(short)), key=lambda p: float(short[p] @ fitted.detectors_[parent, :-1]))
        expected += float(described([transform_boxes(fitted.boxes_[liked], move)])[0] @ coef)
    assert fitted.strength(task.tests[0].images.subset([7]))[0] == pytest.approx(expected, rel=1e-3)


@pytest.fixture
def backbone():
    """A network of seeded random filters under the name "checked", so that no weights are needed."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            generator = torch.Generator().manual_seed(0)
            convolution = torch.nn.Conv2d(3, 12, 6, stride=4, padding=1)
            convolution.weight.data = torch.randn(12, 3, 6, 6, generator=generator) * 0.2
            convolution.bias.data = torch.zeros(12)
            self.features = torch.nn.Sequential(convolution, torch.nn.ReLU())
            self.classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12 * 15 * 15, 2))

        def forward(self, x):
            return self.classifier(self.features(x))

    register_backbone("checked", build=Net, fingerprint=lambda: "checked-1", preprocessing=Preprocessing(64, 64))
    yield "checked"
    unregister_backbone("checked")


def test_backbone_features_for_ranking_and_discovery(task, backbone):
    method = registry.method("visual-chains").create(
        {
            **QUICK,
            "appearance": "backbone",
            "discovery": "backbone",
            "backbone": backbone,
            "image_size": 64,
            "k_pert": 1,
        }
    )
    method.fit(task.train, Run())
    assert method.coef_.shape == (8, 4 * 12)
    test = task.tests[0]
    assert count_margins(method.compare(test.images, test.pairs), test.pairs).accuracy > 0.5
    assert any("the last map of checked" in text for text in method.deviations())


def test_unpublished_settings_are_deviations():
    entry = registry.method("visual-chains")
    usual = entry.create().deviations()
    assert not any("published" in text for text in usual)
    other = entry.create({"n_iter": 40, "gain": 0.1}).deviations()
    assert "n_iter is 40, published 80" in other
    assert "gain is 0.1, published 0.05" in other
    assert entry.create().needs()
    assert not entry.create(QUICK).needs()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_init", 1), ("k_ens", 0), ("folds", 1), ("detector_c", 0.0), ("scales", ()), ("scales", (1.0, -1.0))],
)
def test_invalid_parameters_are_refused_by_name(name, value):
    with pytest.raises(BadInput, match=f"visual-chains: {name} must be"):
        registry.method("visual-chains").create({name: value})
