"""Detectors and growing, on features where it is known which patch shows the thing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from relattr.chains.boxes import box_iou
from relattr.chains.candidates import candidate_boxes
from relattr.chains.detector import Detector, DetectorConfig, train_detector
from relattr.chains.growing import GrowthConfig, grow_chain

BOXES = candidate_boxes((0.25, 0.5), 0.25, 100)
OVERLAP = box_iou(BOXES, BOXES)
D = 12


@pytest.fixture(scope="module")
def scene():
    """Features of 60 images: one patch of each shows a thing that changes slowly from image to image."""
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(60, len(BOXES), D)) * 0.35
    truth = rng.integers(len(BOXES), size=60)
    angle = np.linspace(0, 0.9 * np.pi, 60)
    patches[np.arange(60), truth, 0] += 2 * np.cos(angle)
    patches[np.arange(60), truth, 1] += 2 * np.sin(angle)
    return patches.astype(np.float16), truth


def test_responses_match_a_loop(scene):
    patches, _ = scene
    rng = np.random.default_rng(1)
    detector = Detector(
        rng.normal(size=D + 1).astype(np.float32), rng.normal(size=(2, D + 1)).astype(np.float32), {3: 1, 5: 0}
    )
    found = detector.responses(patches, [2, 3, 5])
    for row, i, w in zip(found, (2, 3, 5), (detector.weights, *detector.fold_weights[[1, 0]]), strict=True):
        expected = [sum(float(a) * float(b) for a, b in zip(patch, w, strict=False)) + w[-1] for patch in patches[i]]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)


def test_detector_is_a_linear_svm_with_negatives(scene):
    patches, truth = scene
    images, path = np.arange(8), truth[:8]
    config = DetectorConfig(C=0.5, negatives=1000, max_negatives=100_000)
    detector = train_detector(patches, images, path, OVERLAP, config, np.random.default_rng(0))
    x, y, owner = [], [], []
    for i, p in zip(images, path, strict=True):
        for j in range(len(BOXES)):
            if j == p or OVERLAP[p, j] < 0.3:
                x.append(patches[i, j].astype(float))
                y.append(j == p)
                owner.append(i)
    x, y, owner = np.array(x), np.array(y), np.array(owner)
    svm = LinearSVC(C=0.5, dual=False, tol=1e-8).fit(x, y)
    np.testing.assert_allclose(detector.weights, np.append(svm.coef_, svm.intercept_), atol=0.02)
    assert sorted(detector.fold_of) == images.tolist()
    for fold in range(5):
        unseen = [i for i, f in detector.fold_of.items() if f == fold]
        rest = ~np.isin(owner, unseen)
        svm = LinearSVC(C=0.5, dual=False, tol=1e-8).fit(x[rest], y[rest])
        np.testing.assert_allclose(detector.fold_weights[fold], np.append(svm.coef_, svm.intercept_), atol=0.02)


def test_images_are_scored_by_an_out_of_fold_detector():
    """Features without anything in common: what was learned by heart would be found, what was not is not."""
    rng = np.random.default_rng(2)
    patches = rng.normal(size=(30, len(BOXES), 400)).astype(np.float16)
    path = rng.integers(len(BOXES), size=30)
    detector = train_detector(patches, np.arange(30), path, OVERLAP, DetectorConfig(C=10, max_negatives=600), rng)
    by_heart = Detector(detector.weights, detector.fold_weights, {})
    assert (by_heart.responses(patches, range(30)).argmax(1) == path).mean() > 0.9
    assert (detector.responses(patches, range(30)).argmax(1) == path).mean() < 0.3


def test_number_of_negatives_is_limited(scene, monkeypatch):
    from relattr.chains import detector as module

    patches, truth = scene
    sizes = []
    inner = module._linear_svm
    monkeypatch.setattr(module, "_linear_svm", lambda x, y, C: sizes.append((len(x), int(y.sum()))) or inner(x, y, C))
    train_detector(
        patches, np.arange(10), truth[:10], OVERLAP, DetectorConfig(negatives=3, folds=2), np.random.default_rng(0)
    )
    assert sizes == [(40, 10), (20, 5), (20, 5)]
    sizes.clear()
    train_detector(
        patches, np.arange(10), truth[:10], OVERLAP, DetectorConfig(max_negatives=20, folds=2), np.random.default_rng(0)
    )
    assert sizes[0] == (30, 10)


def test_no_negatives_gives_a_zero_detector():
    patches = np.random.default_rng(0).normal(size=(6, 1, 4))
    found = train_detector(
        patches, np.arange(6), np.zeros(6, int), np.eye(1), DetectorConfig(), np.random.default_rng(0)
    )
    assert not found.responses(patches, range(6)).any()


def test_a_chain_grows_along_what_changes_slowly(scene):
    patches, truth = scene
    # patches of noise are nearer to each other than patches of the thing: only what the detector says tells them apart
    config = GrowthConfig(rounds=3, per_round=15, gain=3.0, detector=DetectorConfig(C=1.0))
    chain = grow_chain(patches, truth[:5], OVERLAP, config, np.random.default_rng(0))
    assert chain.images.size == 45
    assert (np.diff(chain.images) > 0).all()
    for part in np.array_split(np.arange(60), 3):  # so many of each set: the whole order is covered
        assert np.isin(part, chain.images).sum() == 15
    assert np.isin(np.arange(5), chain.images).all()
    assert (chain.path == truth[chain.images]).mean() > 0.6
    found = chain.detections(patches)
    assert found.shape == (60,)
    assert (found == truth).mean() > 0.6  # one linear detector for a half turn of looks
    expected = [int(chain.detector.responses(patches, [i])[0].argmax()) for i in range(60)]
    assert found.tolist() == expected


def test_growing_takes_the_images_of_largest_response(scene):
    patches, truth = scene
    config = GrowthConfig(rounds=1, per_round=9, detector=DetectorConfig(C=1.0))
    rng = np.random.default_rng(4)
    first = train_detector(patches, np.arange(5), truth[:5], OVERLAP, config.detector, np.random.default_rng(4))
    strongest = sorted(range(5, 60), key=lambda i: -first.responses(patches, [i]).max())[:4]
    chain = grow_chain(patches, truth[:5], OVERLAP, config, rng)
    assert chain.images.tolist() == sorted([*range(5), *strongest])


def test_fewer_images_than_asked_for_all_join(scene):
    patches, truth = scene
    chain = grow_chain(patches[:12], truth[:5], OVERLAP, GrowthConfig(rounds=2, per_round=50), np.random.default_rng(0))
    assert chain.images.tolist() == list(range(12))
