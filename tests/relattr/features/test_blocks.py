"""Features by name equal those of their own functions and are computed once."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.errors import UnknownName
from relattr.features import blocks, color_names
from relattr.features.color_patches import ColorPatches
from relattr.features.gist import gist
from relattr.features.hog2x2 import HOG2x2
from relattr.features.lab import lab_histogram
from relattr.features.lbp import lbp
from relattr.images import Images


def pictures(n: int = 6, side: int = 40, seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (n, side // 4, side // 4, 3)).repeat(4, 1).repeat(4, 2)
    noise = rng.integers(-20, 20, (n, side, side, 3))
    return Images.from_arrays(list(np.clip(base + noise, 0, 255).astype(np.uint8)))


@pytest.mark.parametrize(
    ("name", "function", "dimensions"),
    [
        ("lab-histogram", lab_histogram, 30),
        ("color-histogram", color_names.color_histogram, 50),
        ("texture", lbp, 1239),
    ],
)
def test_direct_features_equal_their_functions(name: str, function: object, dimensions: int) -> None:
    assert callable(function)
    images = pictures()
    features = blocks.direct_features(name, images)
    assert features.shape == (6, dimensions)
    np.testing.assert_array_equal(features, function(images))
    np.testing.assert_array_equal(blocks.direct_features(name, images.subset([4, 1])), features[[4, 1]])


def test_gist_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(2)
    features = blocks.direct_features("gist", images)
    assert features.shape == (2, 512)

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("relattr.features.gist.gist", never)
    np.testing.assert_array_equal(blocks.direct_features("gist", images.subset([1])), features[[1]])
    monkeypatch.undo()
    np.testing.assert_array_equal(gist(images), features)


@pytest.mark.parametrize(
    ("name", "extractor"),
    [
        ("color-patches", ColorPatches(n_words=12)),
        ("hog2x2", HOG2x2(n_words=12)),
        ("hog3x3", HOG2x2(cells=3, pad=24, n_words=12)),
    ],
)
def test_encoded_features_equal_their_classes(name: str, extractor: ColorPatches | HOG2x2) -> None:
    images = pictures()
    words = blocks.learn_dictionary(name, images.subset([0, 1, 2, 3]), seed=5, n_words=12)
    np.testing.assert_array_equal(words, extractor.fit(images.subset([0, 1, 2, 3]), 5).words_)
    np.testing.assert_array_equal(blocks.learn_dictionary(name, images.subset([0, 1, 2, 3]), 5, 12), words)
    assert not np.array_equal(blocks.learn_dictionary(name, images.subset([0, 1, 2]), 5, 12), words)
    features = blocks.encoded_features(name, images, words)
    np.testing.assert_array_equal(features, extractor.transform(images))
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(
        blocks.encoded_features(name, images.subset([5, 0]), words, threads=2), features[[5, 0]]
    )


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownName, match="feature without dictionary"):
        blocks.direct_features("hog2x2", pictures())
    with pytest.raises(UnknownName, match="feature with a dictionary"):
        blocks.learn_dictionary("gist", pictures(), 0)
    assert set(blocks.BLOCKS) == {*blocks.DIRECT, *blocks.ENCODED}
