"""Audits detect deliberate faults in pairs, and those in released pairs."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.audit import audit_overlap, audit_pairs
from relattr.errors import BadInput


def kinds(observations):
    return {o.kind for o in observations}


def test_correct_pairs_have_no_observation():
    assert audit_pairs("p", [0, 1, 2, 3], [1, 2, 3, 4], [1, -1, 1, -1]) == []
    assert audit_pairs("p", [], [], []) == []


@pytest.mark.parametrize(("sign", "side"), [(1, "left"), (-1, "right")])
def test_pairs_with_one_orientation_are_a_leak(sign, side):
    observations = audit_pairs("p", np.arange(20), np.arange(20) + 20, np.full(20, sign))
    assert [(o.severity, o.kind) for o in observations] == [("leak", "one orientation")]
    assert f"the {side} image" in observations[0].text


@pytest.mark.parametrize("n", [1, 2, 5, 14])
@pytest.mark.parametrize("sign", [1, -1])
def test_few_pairs_with_random_sides_are_no_leak(n, sign):
    """Of the small folds of a cross-validation, some have one orientation by chance."""
    assert audit_pairs("p", np.arange(n), np.arange(n) + n, np.full(n, sign)) == []


def test_imbalance_is_reported_only_if_significant():
    rng = np.random.default_rng(0)
    a, b = np.arange(1000), np.arange(1000) + 1000
    fair = sum("imbalance" in kinds(audit_pairs("p", a, b, rng.choice([-1, 1], 1000))) for _ in range(200))
    assert fair <= 1
    assert "imbalance" in kinds(audit_pairs("p", a, b, np.where(rng.random(1000) < 0.7, 1, -1)))


def test_swapped_repeated_and_contradictory_pairs_are_counted():
    observations = audit_pairs("p", [0, 1, 2, 2, 4, 5, 6, 6], [1, 0, 3, 3, 4, 6, 5, 5], [1, 1, 1, 0, 0, 1, -1, -1])
    text = {o.kind + ": " + o.text for o in observations}
    assert "both ways: 2 pairs of images occur in both orders" in text
    assert "repeated: 3 pairs of images occur more than once" in text
    assert "contradictory: 1 pairs of images have opposite labels" in text
    assert "contradictory: 1 pairs of images are labelled both ordered and similar" in text
    assert "itself" in kinds(observations)


def test_invalid_arrays_raise():
    with pytest.raises(BadInput, match="must be"):
        audit_pairs("p", [0], [1, 2], [1])
    with pytest.raises(BadInput, match="labels must be"):
        audit_pairs("p", [0], [1], [2])


@pytest.mark.real
def test_released_virality_pairs_have_one_orientation(real):
    from scipy.io import loadmat

    folder = real("viral")
    pairs = loadmat(folder / "pair_matrix.mat")["pair_matrix_spot"].astype(np.int64)
    best = loadmat(folder / "Top_489_pair.mat")["top_pair_matrix_489"].astype(np.int64)
    # both list the more viral image first
    for name, some in (("pair_matrix", pairs), ("Top_489_pair", best)):
        observations = audit_pairs(name, some[:, 0], some[:, 1], np.ones(len(some), int))
        assert [(o.severity, o.kind) for o in observations] == [("leak", "one orientation")]
    shared = audit_overlap("489 pairs", pairs.ravel(), best.ravel(), n_test_pairs=len(best))
    assert shared[0].text == "all 978 test images are also training images (in 489 test pairs)"
