"""Detectors and growth of chains, on features with a known patch to find."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from relattr.chains.boxes import box_iou
from relattr.chains.candidates import candidate_boxes
from relattr.chains.detector import Detector, DetectorConfig, train_detector
from relattr.chains.growing import GrowthConfig, grow_chain, split_into_halves

BOXES = candidate_boxes((1, 2), (4, 4), 0.75, 100)
OVERLAP = box_iou(BOXES, BOXES)
D = 12


@pytest.fixture(scope="module")
def scene():
    """Features of 60 images; in each, one patch (``truth``) has a feature that changes slowly over the images."""
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(60, len(BOXES), D)) * 0.35
    truth = rng.integers(len(BOXES), size=60)
    angle = np.linspace(0, 0.9 * np.pi, 60)
    patches[np.arange(60), truth, 0] += 2 * np.cos(angle)
    patches[np.arange(60), truth, 1] += 2 * np.sin(angle)
    return patches.astype(np.float16), truth


def test_responses_match_a_loop(scene):
    patches, _ = scene
    w = np.random.default_rng(1).normal(size=D + 1).astype(np.float32)
    responses = Detector(w).responses(patches, [2, 3, 5])
    for row, i in zip(responses, (2, 3, 5), strict=True):
        expected = [sum(float(a) * float(b) for a, b in zip(patch, w, strict=False)) + w[-1] for patch in patches[i]]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)
    assert Detector(w).responses(patches, []).shape == (0, len(BOXES))


EVERY = DetectorConfig(C=0.5, negatives=1000, max_negatives=100_000)
"""All eligible patches are negatives, so that nothing is random."""


def slow_detector(patches, images, path):
    x, y = [], []
    for i, p in zip(images, path, strict=True):
        for j in range(len(BOXES)):
            if j == p or OVERLAP[p, j] < 0.3:
                x.append(patches[i, j].astype(float))
                y.append(j == p)
    svm = LinearSVC(C=0.5, dual=False, tol=1e-8).fit(np.array(x), np.array(y))
    return np.append(svm.coef_, svm.intercept_)


def test_detector_is_a_linear_svm_with_negatives(scene):
    patches, truth = scene
    images, path = np.arange(8), truth[:8]
    detector = train_detector(patches, images, path, OVERLAP, EVERY, np.random.default_rng(0))
    np.testing.assert_allclose(detector.weights, slow_detector(patches, images, path), atol=0.02)


def test_number_of_negatives_is_limited(scene, monkeypatch):
    from relattr.chains import detector as module

    patches, truth = scene
    sizes = []
    inner = module._linear_svm
    monkeypatch.setattr(module, "_linear_svm", lambda x, y, C: sizes.append((len(x), int(y.sum()))) or inner(x, y, C))
    for config in (DetectorConfig(negatives=3), DetectorConfig(max_negatives=20)):
        train_detector(patches, np.arange(10), truth[:10], OVERLAP, config, np.random.default_rng(0))
    assert sizes == [(40, 10), (30, 10)]


def test_no_negatives_gives_a_zero_detector():
    patches = np.random.default_rng(0).normal(size=(6, 1, 4))
    detector = train_detector(
        patches, np.arange(6), np.zeros(6, int), np.eye(1), DetectorConfig(), np.random.default_rng(0)
    )
    assert not detector.responses(patches, range(6)).any()


def slow_chain(patches, responses, gain):
    """The patches with the smallest sum of distances minus gains, by recursion over (image, patch)."""
    best = [(-gain * r, [p]) for p, r in enumerate(responses[0])]
    for k in range(1, len(patches)):
        following = []
        for p in range(len(patches[k])):
            steps = [cost + np.linalg.norm(patches[k][p] - patches[k - 1][path[-1]]) for cost, path in best]
            q = int(np.argmin(steps))
            following.append((steps[q] - gain * responses[k][p], [*best[q][1], p]))
        best = following
    return min(best)[1]


def slow_growth(patches, halves, first, config):
    """The scheme of Xiao & Lee with plain lists: S1 first, then its detector on S2, and so on."""
    patches = patches.astype(float)

    def responses(w, images):
        return [[float(patch @ w[:-1] + w[-1]) for patch in patches[i]] for i in images]

    chains = [list(halves[0][: len(first)]), []]
    chosen = [list(first), []]
    w = slow_detector(patches, chains[0], chosen[0])
    last = [None, None]
    for t in range(config.rounds):
        for h in (0, 1):
            candidates = [int(i) for i in np.array_split(halves[h], config.rounds)[t]]
            present = [i for i in candidates if i in chains[h]]
            new = sorted(set(candidates) - set(present), key=lambda i: -max(responses(w, [i])[0]))
            chains[h] = sorted([*chains[h], *new[: config.per_round // 2 - len(present)]])
            chosen[h] = slow_chain(patches[chains[h]], responses(w, chains[h]), config.gain)
            w = last[h] = slow_detector(patches, chains[h], chosen[h])
    both = dict(zip(map(int, [*chains[0], *chains[1]]), [*chosen[0], *chosen[1]], strict=True))
    images = sorted(both)
    whole = slow_detector(patches, images, [both[i] for i in images])
    detected = []
    for i in range(len(patches)):
        w = last[1] if i in halves[0] else last[0] if i in halves[1] else whole
        detected.append(int(np.argmax(responses(w, [i])[0])))
    return images, [both[i] for i in images], detected


def test_growth_on_two_halves_matches_plain_lists(scene):
    patches, truth = scene
    halves = split_into_halves(50, np.random.default_rng(3))  # ten images belong to neither
    config = GrowthConfig(rounds=3, per_round=12, gain=1.0, detector=EVERY)
    first = truth[halves[0][:5]]
    chain = grow_chain(patches, halves, first, OVERLAP, config, np.random.default_rng(0))
    images, path, detected = slow_growth(patches, halves, first, config)
    assert chain.images.tolist() == images
    assert chain.path.tolist() == path
    assert chain.detections(patches).tolist() == detected
    assert len(images) == 36


def test_a_chain_grows_along_what_changes_slowly(scene):
    patches, truth = scene
    # patches of noise are nearer to each other than patches of the thing: only what the detector says tells them apart
    halves = split_into_halves(60, np.random.default_rng(1))
    config = GrowthConfig(rounds=3, per_round=16, gain=3.0, detector=DetectorConfig(C=1.0))
    chain = grow_chain(patches, halves, truth[halves[0][:5]], OVERLAP, config, np.random.default_rng(0))
    assert chain.images.size == 48
    assert (np.diff(chain.images) > 0).all()
    for half in halves:
        for part in np.array_split(half, 3):  # so many of each set: the whole order is covered
            assert np.isin(part, chain.images).sum() == 8
    assert (chain.path == truth[chain.images]).mean() > 0.6
    assert (chain.detections(patches) == truth).mean() > 0.6  # one linear detector for a half turn of looks


def test_a_half_is_scored_by_the_detector_of_the_other():
    """Random features: a detector finds the patches it was trained on, and no others."""
    rng = np.random.default_rng(2)
    patches = rng.normal(size=(30, len(BOXES), 400)).astype(np.float16)
    halves = split_into_halves(30, rng)
    config = GrowthConfig(rounds=1, per_round=30, detector=DetectorConfig(C=10, max_negatives=3000))
    chain = grow_chain(patches, halves, rng.integers(len(BOXES), size=5), OVERLAP, config, rng)
    assert chain.images.tolist() == list(range(30))
    assert (chain.detector.responses(patches, range(30)).argmax(1) == chain.path).mean() > 0.9
    assert (chain.detections(patches) == chain.path)[halves[0]].mean() < 0.3


def test_halves_are_random_and_complete():
    first, second = split_into_halves(9, np.random.default_rng(0))
    assert (first.size, second.size) == (5, 4)
    assert sorted([*first, *second]) == list(range(9))
    assert (np.diff(first) > 0).all()
    assert first.tolist() != split_into_halves(9, np.random.default_rng(1))[0].tolist()


def test_fewer_images_than_requested_are_all_used(scene):
    patches, truth = scene
    for n in (2, 12):
        halves = split_into_halves(n, np.random.default_rng(0))
        first = truth[halves[0][:5]]
        config = GrowthConfig(rounds=2, per_round=50)
        chain = grow_chain(patches[:n], halves, first, OVERLAP, config, np.random.default_rng(0))
        assert chain.images.tolist() == list(range(n))
