"""The method `visual-chains`: the contract, synthetic scenes with a known cue, and its artifacts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from relattr.backbones.names import Preprocessing, register_backbone, unregister_backbone
from relattr.chains.boxes import transform_boxes
from relattr.chains.hog_templates import hog_templates
from relattr.check import method_checks
from relattr.errors import BadInput
from relattr.images import Images
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.registry import registry
from relattr.run_settings import Run
from relattr.statistics import count_margins
from relattr.task import Task, TaskName, TestSet, TrainingSet

registry.discover()
QUICK = {
    "appearance": "hog",
    "components": 64,
    "sides": (24.0,),
    "max_candidates": 50,
    "n_iter": 25,
    "k_init": 4,
    "k_pert": 2,
    "k_ens": 8,
}


@pytest.mark.parametrize("check", method_checks("visual-chains"), ids=str)
def test_contract(check):
    check.assert_passes()


def drawn(rng, n):
    """``n`` noisy images of 72 px with stripes in a square of 24 px near the centre; strength turns the stripes."""
    strengths = rng.uniform(size=n)
    images = rng.integers(90, 166, (n, 72, 72, 3), dtype=np.uint8)
    y, x = np.mgrid[:24, :24]
    for image, strength in zip(images, strengths, strict=True):
        left, top = rng.integers(12, 36, 2)
        angle = np.pi / 2 * strength
        stripes = 128 + 100 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / 6)
        image[top : top + 24, left : left + 24] = stripes[..., None]
    return Images.from_arrays(list(images)), strengths


@pytest.fixture(scope="module")
def task():
    (images, strengths), (test_images, test_strengths) = (drawn(generator(0, part), 80) for part in ("train", "test"))
    return Task(
        TaskName("drawn", "angle", "standard"),
        TrainingSet(images, Pairs.from_scores(strengths, count=1500, seed=0), scores=strengths),
        [TestSet("test", test_images, Pairs.all_of(test_strengths))],
        "drawn",
    )


@pytest.fixture(scope="module")
def fitted(task):
    method = registry.method("visual-chains").create(QUICK)
    method.fit(task.train, Run())
    return method


def test_what_changes_in_a_patch_is_ranked(task, fitted):
    test = task.tests[0]
    assert count_margins(fitted.compare(test.images, test.pairs), test.pairs).accuracy > 0.6


def test_random_labels_give_chance(task):
    """Replaces the law `noise`: scenes vary in many ways, so random labels favour no direction."""
    test = task.tests[0]
    accuracies = []
    for draw in range(2):
        pairs = Pairs.from_scores(
            generator(draw, "random labels").normal(size=len(task.train.images)), count=600, seed=draw
        )
        method = registry.method("visual-chains").create(QUICK)
        method.fit(dataclasses.replace(task.train, pairs=pairs), Run())
        accuracies.append(count_margins(method.compare(test.images, test.pairs), test.pairs).accuracy)
    assert abs(np.mean(accuracies) - 0.5) < 0.15


def test_artifacts_are_training_patches_weak_to_strong(task, fitted):
    artifacts = fitted.artifacts(task.train, Run())
    indices, boxes, accuracy = (artifacts[name] for name in ("chain images", "chain boxes", "chain accuracy"))
    assert indices.shape == (3, 10)
    assert boxes.shape == (3, 10, 4)
    assert boxes.dtype == np.float32
    assert (np.diff(accuracy) <= 0).all()
    assert ((accuracy > 0.4) & (accuracy <= 1)).all()
    assert indices.min() >= 0
    assert indices.max() < len(task.train.images)
    assert (boxes[..., :2] >= 0).all()
    assert (boxes[..., 2:] <= 1).all()
    strength = task.train.scores
    for row in indices:
        assert np.unique(row).size == 10
        assert np.median(strength[row[5:]]) > np.median(strength[row[:5]])


def described(image, boxes):
    rows = hog_templates(image, np.asarray(boxes))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("global_feature", [False, True])
def test_strength_is_that_of_a_loop(task, fitted, global_feature):
    """The patches of largest response, moved, each block times its validation accuracy, and the whole image."""
    if global_feature:
        fitted = registry.method("visual-chains-global").create(QUICK)
        fitted.fit(task.train, Run())
    image = task.tests[0].images[7]
    short = (described(image, fitted.boxes_) @ fitted.basis_).astype(np.float16).astype(np.float32)
    blocks = []
    for parent, move in zip(fitted.parent_, fitted.moves_, strict=True):
        liked = max(range(len(short)), key=lambda p: float(short[p] @ fitted.detectors_[parent, :-1]))
        blocks.append(described(image, [transform_boxes(fitted.boxes_[liked], move)])[0])
    if global_feature:
        blocks.append(described(image, [[0.0, 0.0, 1.0, 1.0]])[0])
    expected = sum(
        weight * float(block @ coef) for weight, block, coef in zip(fitted.weights_, blocks, fitted.coef_, strict=True)
    )
    assert fitted.strength(task.tests[0].images.subset([7]))[0] == pytest.approx(expected, rel=1e-3)
    assert fitted.weights_.size == 8 + global_feature
    assert (np.diff(fitted.weights_[:8]) <= 0).all()  # validation accuracies, the best first
    assert ((fitted.weights_ >= 0) & (fitted.weights_ <= 1)).all()
    assert set(fitted.moves_[:, 2]) <= {0.25, 1.0}
    assert np.abs(fitted.moves_[:, :2]).max() <= 0.6


@pytest.fixture
def backbone():
    """A network of random filters named "checked", so that no weights are needed."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            generator = torch.Generator().manual_seed(0)
            convolution = torch.nn.Conv2d(3, 12, 6, stride=4, padding=1)
            convolution.weight.data = torch.randn(12, 3, 6, 6, generator=generator) * 0.2
            convolution.bias.data = torch.zeros(12)
            self.features = torch.nn.Sequential(convolution, torch.nn.ReLU())
            self.classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12 * 16 * 16, 2))

        def forward(self, x):
            return self.classifier(self.features(x))

    register_backbone("checked", build=Net, fingerprint=lambda: "checked-1", preprocessing=Preprocessing(64, 64))
    yield "checked"
    unregister_backbone("checked")


@pytest.mark.parametrize(("appearance", "dim"), [("map", 4 * 12), ("patches", 9 * 12)])
def test_network_features_for_ranking_and_discovery(task, backbone, appearance, dim):
    method = registry.method("visual-chains").create(
        {
            **QUICK,
            "appearance": appearance,
            "discovery": "map",
            "backbone": backbone,
            "image_size": 64,
            "k_init": 2,
            "k_pert": 1,
            "k_ens": 3,
        }
    )
    method.fit(task.train, Run())
    assert method.coef_.shape == (3, dim)
    test = task.tests[0]
    assert count_margins(method.compare(test.images, test.pairs), test.pairs).accuracy > 0.5
    assert any("map of checked" in text for text in method.deviations())


def test_unpublished_settings_are_deviations():
    entry = registry.method("visual-chains")
    usual = entry.create({"backbone": "caffenet"}).deviations()
    assert len(usual) == 1  # principal components of HOG, on a limited number of patches
    other = entry.create({"backbone": "alexnet", "n_iter": 40, "gain": 0.1, "scales": (0.75, 1.0)}).deviations()
    assert "n_iter is 40, published 80" in other
    assert "gain is 0.1, published 0.05" in other
    assert "scales is 0.75 1, published 0.25 1" in other
    assert any("torchvision's AlexNet, not pool5 of Caffe's" in text for text in other)
    assert entry.create().needs()
    assert not entry.create(QUICK).needs()


def test_notes_on_datasets_where_numbers_need_one():
    chains, whole = (registry.method(name).create() for name in ("visual-chains", "visual-chains-global"))
    assert "not applicable to OSR" in chains.notes_on(TaskName("osr", "natural", "standard"))[0]
    assert "94.83" in chains.notes_on(TaskName("zappos", "open", "0"))[0]
    assert not whole.notes_on(TaskName("zappos", "open", "0"))
    assert not chains.notes_on(TaskName("lfw10", "smile", "standard"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_init", 1),
        ("k_ens", 0),
        ("validation", 1.0),
        ("detector_c", 0.0),
        ("sides", ()),
        ("scales", ()),
        ("scales", (1.0, -1.0)),
    ],
)
def test_invalid_parameters_are_refused_by_name(name, value):
    with pytest.raises(BadInput, match=f"visual-chains: {name} must be"):
        registry.method("visual-chains").create({name: value})
