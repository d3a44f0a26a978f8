"""The sampling of descriptors and the dictionary learned from them."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.features.dictionary import learn_visual_words, sample_quotas


def test_quotas_below_the_total_are_the_counts() -> None:
    rng = np.random.default_rng(0)
    assert sample_quotas([3, 5, 0], 10, 100, rng).tolist() == [3, 5, 0]
    assert sample_quotas([3, 50, 20], 10, 100, rng).tolist() == [3, 10, 10]


def test_quotas_above_the_total_are_a_uniform_draw() -> None:
    counts, total = [10, 40, 200], 60
    draws = np.array([sample_quotas(counts, 50, total, np.random.default_rng(s)) for s in range(2000)])
    assert (draws.sum(axis=1) == total).all()
    assert (draws <= [10, 40, 50]).all()
    # The expected number of draws is proportional to the counts; the error of the mean is about 0.05.
    np.testing.assert_allclose(draws.mean(axis=0), np.array([10, 40, 50]) * 0.6, atol=0.25)


def test_words_are_the_centres_of_separate_clusters() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(5, 8)) * 10
    x = np.repeat(centres, 400, axis=0) + rng.normal(size=(2000, 8)) * 0.01
    # A random start may put two words into one cluster, a local minimum of k-means, so take the best of several.
    best = min(
        float(np.abs(centres[:, None] - learn_visual_words(x, 5, seed)[None]).max(axis=2).min(axis=1).max())
        for seed in range(12)
    )
    assert best < 0.05


def test_error_is_near_full_k_means() -> None:
    from sklearn.cluster import KMeans

    x = np.random.default_rng(2).random((3000, 6), dtype=np.float32)

    def error(words: np.ndarray) -> float:
        return float(np.mean(np.min(np.sum((x[:, None] - words[None]) ** 2, axis=2), axis=1)))

    full = error(KMeans(32, init="random", n_init=1, random_state=0).fit(x).cluster_centers_)
    assert error(learn_visual_words(x, 32, 0)) < 1.1 * full


def test_same_seed_same_words() -> None:
    x = np.random.default_rng(3).random((3000, 10), dtype=np.float32)
    first = learn_visual_words(x, 20, seed=2**62 + 1)
    assert first.shape == (20, 10)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(learn_visual_words(x, 20, seed=2**62 + 1), first)
    assert not np.array_equal(learn_visual_words(x, 20, seed=2**62 + 2), first)


def test_identical_descriptors() -> None:
    words = learn_visual_words(np.ones((50, 4)), 5)
    np.testing.assert_array_equal(words, np.ones((5, 4)))


@pytest.mark.parametrize(
    ("x", "n_words", "message"),
    [
        (np.ones((4, 3)), 5, "5 words need"),
        (np.ones(9), 5, "5 words need"),
        (np.ones((4, 3)), 0, "0 words; expected at least 1"),
        (np.full((9, 3), np.nan), 5, "NaN or infinity"),
    ],
)
def test_bad_input(x: np.ndarray, n_words: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        learn_visual_words(x, n_words)
