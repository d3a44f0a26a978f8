"""The method best-place finds the one place that decides the attribute."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from relattr import BadInput, Images, Pairs, Run, TrainingSet
from relattr.backbones.extraction import deep_features
from relattr.registry import registry


@pytest.fixture(autouse=True)
def plugins():
    registry.discover()


def scenes(n: int, seed: int) -> tuple[Images, np.ndarray]:
    """Images of discs of random brightness everywhere; that of the disc at (0.75, 0.25) is the strength."""
    rng = np.random.default_rng(seed)
    strengths = rng.uniform(size=n)
    arrays = []
    for strength in strengths:
        image = np.full((64, 64, 3), 128, np.uint8)
        for y in (8, 24, 40, 56):
            for x in (8, 24, 40, 56):
                value = strength if (x, y) in ((40, 8), (56, 8), (40, 24), (56, 24)) else rng.uniform()
                image[y - 5 : y + 5, x - 5 : x + 5] = int(255 * value)
        arrays.append(image)
    return Images.from_arrays(arrays), strengths


@pytest.mark.parametrize("parameters", [{}, {"cut": "image", "step": 7}])
def test_place_of_the_cue_is_found(parameters):
    images, strengths = scenes(60, 0)
    pairs = Pairs.from_scores(strengths, count=150, seed=0)
    method = registry.method("best-place").create({"backbone": "micro", "sizes": (0.5,), "places": 1, **parameters})
    method.fit(TrainingSet(images, pairs), Run(seed=0))
    test, truth = scenes(40, 1)
    strength = method.strength(test)
    of_pairs = np.subtract.outer(strength, strength) * np.subtract.outer(truth, truth)
    assert (of_pairs > 0).sum() > 0.8 * 40 * 39
    boxes = method.boxes(test)
    assert boxes.shape == (40, 1, 4)
    assert (boxes == boxes[0]).all()
    x, y = (boxes[0, 0, :2] + boxes[0, 0, 2:]) / 2
    assert abs(x - 0.75) < 0.15
    assert abs(y - 0.25) < 0.15


@pytest.mark.parametrize("whole", [False, True])
def test_features_are_those_of_the_whole_image_and_the_places(whole):
    images, strengths = scenes(30, 0)
    pairs = Pairs.from_scores(strengths, count=80, seed=0)
    method = registry.method("best-place").create({"backbone": "micro", "sizes": (0.5,), "places": 2, "whole": whole})
    method.fit(TrainingSet(images, pairs), Run(seed=0))
    grid = method.grid
    maps = grid.load(images)
    parts = [grid.features(maps, k) for k in method.places_]
    parts += [deep_features(images, "micro", crop="resize")] if whole else []
    features = np.concatenate(parts, 1)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(method.strength(images), features @ method.coef_, rtol=1e-4, atol=1e-5)
    assert len(set(method.places_.tolist())) == 2
    assert 0 not in method.places_


def test_the_search_looks_at_the_images_of_random_pairs(monkeypatch):
    module = sys.modules[registry.method("best-place").cls.__module__]
    pairs = Pairs.from_scores(np.random.default_rng(0).uniform(size=60), count=100, seed=0)
    everything = module.images_of_random_pairs(pairs, 10**6, np.random.default_rng(0))
    np.testing.assert_array_equal(everything, pairs.images)
    some = module.images_of_random_pairs(pairs, 20, np.random.default_rng(0))
    assert len(set(some.tolist())) == 20
    assert len(pairs.among(some)) >= 10
    assert module.images_of_random_pairs(pairs, 20, np.random.default_rng(1)).tolist() != some.tolist()

    images, strengths = scenes(60, 0)
    monkeypatch.setattr(module, "MAX_SEARCH_IMAGES", 40)
    method = registry.method("best-place").create({"backbone": "micro", "sizes": (0.5,), "places": 1})
    grid, _ = method.search(TrainingSet(images, Pairs.from_scores(strengths, count=600, seed=0)), Run(seed=0))
    calls = []
    monkeypatch.setattr(type(grid), "load", lambda grid, images, device="cpu": calls.append(len(images)) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        method.search(TrainingSet(images, Pairs.from_scores(strengths, count=600, seed=0)), Run(seed=0))
    assert calls == [40]


def test_no_place_is_refused():
    with pytest.raises(BadInput, match="places must be at least 1"):
        registry.method("best-place").create({"places": 0})
