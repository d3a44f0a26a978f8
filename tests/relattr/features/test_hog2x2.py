"""HOG2x2: dimensions, norms, order, determinism, image sizes, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from relattr.errors import BadInput
from relattr.features.hog import stacked_hog
from relattr.features.hog2x2 import HOG2x2
from relattr.features.input import shrink
from relattr.features.llc import encode_llc

Image = npt.NDArray[np.uint8]


def pictures(n: int, height: int = 48, width: int = 56, seed: int = 0) -> list[Image]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, height // 8, width // 8, 3), dtype=np.uint8)
    fine = rng.integers(0, 40, (n, height, width, 3), dtype=np.uint8)
    return list(np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2) // 2 + fine)


@pytest.fixture(scope="module")
def fitted() -> HOG2x2:
    return HOG2x2().fit(pictures(12), seed=3)


def test_dimensions_and_norms(fitted: HOG2x2) -> None:
    features = fitted.transform(pictures(5, seed=1))
    assert fitted.words_.shape == (256, 124)
    assert features.shape == (5, 5376)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    assert len(np.unique(features, axis=0)) == 5


def test_hog3x3_has_its_dimensions() -> None:
    feature = HOG2x2(cells=3, pad=24).fit(pictures(12), seed=3)
    assert feature.words_.shape == (256, 279)
    assert feature.transform(pictures(2)).shape == (2, 5376)


def test_equals_a_reference_composition(fitted: HOG2x2) -> None:
    # Dense codes, cells selected by the pixel of a descriptor, finest level first, cells in column-major order.
    image = pictures(1, 64, 88, seed=9)[0]
    descriptors, _ = stacked_hog(image)
    indices, weights = encode_llc(descriptors, fitted.words_)
    codes = np.zeros((11, 15, 256))
    for n, (index, weight) in enumerate(zip(indices, weights, strict=True)):
        codes[n // 15, n % 15, index] = weight
    pixels_y, pixels_x = np.arange(0, 64, 6), np.arange(0, 88, 6)
    blocks = []
    for g in (4, 2, 1):
        for col in range(g):
            for row in range(g):
                ys = np.flatnonzero(pixels_y * g // 64 == row)
                xs = np.flatnonzero(pixels_x * g // 88 == col)
                blocks.append(codes[np.ix_(ys, xs)].max(axis=(0, 1)))
    expected = np.concatenate(blocks)
    np.testing.assert_allclose(fitted.transform([image])[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_grey_equals_its_three_channel_copy(fitted: HOG2x2) -> None:
    grey = pictures(1)[0][:, :, 0]
    both = fitted.transform([grey, grey[:, :, None], np.stack([grey] * 3, axis=2)])  # type: ignore[list-item]
    np.testing.assert_array_equal(both[0], both[2])
    np.testing.assert_array_equal(both[1], both[2])


def test_uniform_and_tiny_images_are_finite(fitted: HOG2x2) -> None:
    uniform = np.full((40, 40, 3), 9, dtype=np.uint8)
    features = fitted.transform([uniform, uniform[:1, :1], uniform[:3, :31], pictures(1, 32, 32)[0]])
    assert np.isfinite(features).all()
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)


def test_a_dictionary_of_uniform_images() -> None:
    uniform = [np.full((40, 40, 3), v, dtype=np.uint8) for v in (0, 100)]
    features = HOG2x2(n_words=8).fit(uniform).transform(uniform + pictures(1))
    assert np.isfinite(features).all()


def test_batching_order_and_threads_change_nothing(fitted: HOG2x2) -> None:
    mixed = pictures(3) + pictures(2, 32, 40) + pictures(2, 64, 32) + pictures(2, seed=5)
    together = fitted.transform(mixed)
    np.testing.assert_array_equal(fitted.transform(mixed), together)
    np.testing.assert_array_equal(fitted.transform(mixed[::-1]), together[::-1])
    np.testing.assert_array_equal(fitted.transform(mixed, threads=3), together)
    for image, feature in zip(mixed, together, strict=True):
        np.testing.assert_array_equal(fitted.transform([image])[0], feature)
    assert fitted.transform([]).shape == (0, 5376)


def test_same_seed_same_dictionary() -> None:
    feature, images = HOG2x2(n_words=16, max_images=4, per_image=20, max_descriptors=64), pictures(6)
    first = feature.fit(images, seed=1).words_
    np.testing.assert_array_equal(feature.fit(images, seed=1).words_, first)
    assert not np.array_equal(feature.fit(images, seed=2).words_, first)


def test_input_is_not_modified(fitted: HOG2x2) -> None:
    images = pictures(2)
    before = [image.copy() for image in images]
    HOG2x2(n_words=4).fit(images)
    fitted.transform(images)
    for image, copy in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, copy)


def test_sampling_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    samples: list[Any] = []

    def learn(sample: Any, n_words: int, seed: int) -> Any:
        seen.append(sample.shape)
        samples.append(sample)
        return np.zeros((n_words, 124), np.float32)

    monkeypatch.setattr("relattr.features.dictionary.learn_visual_words", learn)
    images = pictures(6)  # 8 x 10 descriptors each
    done: list[int] = []
    HOG2x2(max_images=4).fit(images, progress=done.append)
    HOG2x2(per_image=7).fit(images)
    HOG2x2(max_images=4, per_image=50, max_descriptors=90).fit(images)
    assert seen == [(320, 124), (42, 124), (90, 124)]
    assert done == [1, 2, 3, 4]
    for seed in (0, 1):
        HOG2x2(per_image=7).fit(images, seed=seed)
    np.testing.assert_array_equal(samples[3], samples[1])
    assert not np.array_equal(samples[4], samples[1])
    every = {row.tobytes() for image in images for row in stacked_hog(image)[0]}
    assert {row.tobytes() for row in samples[1]} <= every
    assert len({row.tobytes() for row in samples[1]}) == 42  # drawn without replacement


def test_saved_words_can_be_reused(fitted: HOG2x2) -> None:
    again = HOG2x2()
    again.words_ = fitted.words_.copy()
    np.testing.assert_array_equal(again.transform(pictures(1)), fitted.transform(pictures(1)))


def test_progress_counts_images(fitted: HOG2x2) -> None:
    done: list[int] = []
    fitted.transform(pictures(6), progress=done.append)
    assert done == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((800, 600), (400, 300)),
        ((900, 600), (400, 267)),
        ((300, 4000), (30, 400)),
        ((401, 2), (400, 2)),
        ((3, 900), (2, 400)),
    ],
)
def test_shrinks_to_maxsize(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shrink(np.zeros((*size, 3), np.uint8), 400).shape == (*expected, 3)


def test_shrinking_averages_and_never_enlarges() -> None:
    small = pictures(1)[0]
    assert shrink(small, 400) is small
    stripes = np.zeros((1200, 900, 3), np.uint8)
    stripes[:, ::2] = 200  # finer than a pixel of the smaller image: grey, without aliasing
    assert np.ptp(shrink(stripes, 400)[5:-5, 5:-5]) <= 30
    assert abs(float(shrink(stripes, 400).mean()) - 100) < 2


def test_large_images_are_described_at_maxsize(fitted: HOG2x2) -> None:
    image = pictures(1, 480, 320)[0]
    np.testing.assert_array_equal(fitted.transform([image]), fitted.transform([shrink(image, 400)]))


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9, 3)), np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9, 3), np.uint8), np.zeros(9, np.uint8)]
)
def test_invalid_images_are_named(fitted: HOG2x2, image: Any) -> None:
    with pytest.raises(BadInput, match="image 1 is"):
        fitted.transform([pictures(1)[0], image])


def test_images_too_small_for_hog_are_refused() -> None:
    with pytest.raises(BadInput, match="32 x 40 px is too small"):
        HOG2x2(pad=0).fit(pictures(2, 32, 40))


def test_errors_before_and_around_fitting(fitted: HOG2x2) -> None:
    with pytest.raises(BadInput, match="call fit"):
        HOG2x2().transform(pictures(1))
    with pytest.raises(BadInput, match="256 words need"):
        HOG2x2().fit([])
    with pytest.raises(BadInput, match="256 words need"):
        HOG2x2().fit(pictures(1))
    wrong = HOG2x2()
    wrong.words_ = np.zeros((256, 31), np.float32)
    with pytest.raises(BadInput, match=r"\(256, 124\)"):
        wrong.transform(pictures(1))
    with pytest.raises(BadInput, match="threads is 0"):
        fitted.transform(pictures(1), threads=0)
    with pytest.raises(BadInput, match="maxsize is 0"):
        HOG2x2(maxsize=0).fit(pictures(1))
