"""Hand-crafted features by name, computed once for each image and cached on disk.

===================  ======  ==================================================================
``gist``             512     see ``gist``
``lab-histogram``    30      10 bins for each channel of L*a*b*, see ``lab``
``color-histogram``  50      histogram of 50 colour names, see ``color_names``
``texture``          1,239   local binary patterns, see ``lbp``
``color-patches``    5,376   see ``color_patches``
``hog2x2``           5,376   see ``hog2x2``
``hog3x3``           5,376   ``hog2x2`` with 3x3 cells
===================  ======  ==================================================================

The last three encode local descriptors with a dictionary of visual words, which `learn_dictionary` learns from
training images. (Features from pretrained networks are in `relattr.backbones.extraction`.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relattr.errors import UnknownName
from relattr.features.cache import cached_array, cached_rows
from relattr.features.color_names import Vocabulary, color_histogram, vocabulary_fingerprint
from relattr.identity import code_digest
from relattr.progress import track
from relattr.system.digests import digest_array

if TYPE_CHECKING:
    from relattr.features.encoded import EncodedFeature
    from relattr.images import Images

Rows = NDArray[np.float32]

DIRECT = ("gist", "lab-histogram", "color-histogram", "texture")
ENCODED = ("color-patches", "hog2x2", "hog3x3")
BLOCKS = (*DIRECT, *ENCODED)


def learn_dictionary(
    name: str, images: Images, seed: int, n_words: int = 256, vocabulary: Vocabulary = "lattice"
) -> Rows:
    """Learn the dictionary of an encoded feature, ``(n_words, width)``, from training images only; cached on disk.

    Raises `UnknownName` for a feature without a dictionary.
    """
    encoder, version = _encoder(name, n_words, vocabulary)
    key = f"{name} words {version} {images.collection_fingerprint} {images.indices.tolist()} {n_words} {seed}"

    def learn() -> Rows:
        with track(f"learning the dictionary of {name}", min(len(images), encoder.max_images)) as advance:
            return encoder.fit(images, seed, progress=lambda done: advance(1)).words_

    return cached_array(key, learn)


def encoded_features(
    name: str, images: Images, words: Rows, vocabulary: Vocabulary = "lattice", threads: int = 1
) -> Rows:
    """Return an encoded feature of each image, ``(n, 21 * n_words)``, in rows of unit norm.

    Raises `UnknownName` for a feature without a dictionary.
    """
    encoder, version = _encoder(name, len(words), vocabulary)
    encoder.words_ = words
    key = f"{name} {version} {digest_array(words)}"
    return cached_rows(images, key, lambda part: encoder.transform(part, threads=threads), what=name)


def direct_features(name: str, images: Images, vocabulary: Vocabulary = "lattice") -> Rows:
    """Return a feature that needs no dictionary for each image, ``(n, d)``. Raises `UnknownName` for any other name."""
    compute: Callable[[Images], Rows]
    if name == "gist":
        from relattr.features.gist import gist

        compute, version = gist, code_digest("relattr.features.gist")
    elif name == "lab-histogram":
        from relattr.features.lab import lab_histogram

        compute, version = lab_histogram, code_digest("relattr.features.lab")
    elif name == "texture":
        from relattr.features.lbp import lbp

        compute, version = lbp, code_digest("relattr.features.lbp")
    elif name == "color-histogram":

        def compute(part: Images) -> Rows:
            return color_histogram(part, vocabulary)

        version = f"{code_digest('relattr.features.color_names')} {vocabulary_fingerprint(vocabulary)}"
    else:
        raise UnknownName("feature without dictionary", name, DIRECT)
    return cached_rows(images, f"{name} {version}", compute, what=name)


def _encoder(name: str, n_words: int, vocabulary: Vocabulary) -> tuple[EncodedFeature, str]:
    """Return the extractor, and a fingerprint of everything that its descriptors and codes depend on."""
    if name == "color-patches":
        from relattr.features.color_patches import ColorPatches

        code = code_digest("relattr.features.color_patches")
        return ColorPatches(vocabulary, n_words=n_words), f"{code} {vocabulary_fingerprint(vocabulary)}"
    if name in ("hog2x2", "hog3x3"):
        from relattr.features.hog2x2 import HOG2x2

        cells, pad = (2, 20) if name == "hog2x2" else (3, 24)
        return HOG2x2(cells=cells, pad=pad, n_words=n_words), code_digest("relattr.features.hog2x2")
    raise UnknownName("feature with a dictionary", name, ENCODED)
