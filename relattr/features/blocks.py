"""Classic features by name, each image computed once and kept on disk.

===================  ======  ==================================================================
``gist``             512     see ``gist``
``lab-histogram``    30      10 bins of each channel of L*a*b*, see ``lab``
``color-histogram``  50      shares of 50 colour names, see ``color_names``
``texture``          1,239   local binary patterns, see ``lbp``
``color-patches``    5,376   see ``color_patches``
``hog2x2``           5,376   see ``hog2x2``
``hog3x3``           5,376   the same with 3x3 cells
===================  ======  ==================================================================

The last three need a dictionary, which `learn_dictionary` learns from training images. (Layers of networks are in
``deep``.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relattr.errors import UnknownName
from relattr.features.cache import cached_array, cached_rows
from relattr.features.color_names import Vocabulary, color_histogram, vocabulary_fingerprint
from relattr.progress import track
from relattr.identity import code_digest
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
    """The dictionary ``(n_words, width)`` of a coded feature, from training images alone.

    Raises `UnknownName` for a feature that has none.
    """
    coder, about = _coder(name, n_words, vocabulary)
    key = f"{name} words {about} {images.collection_fingerprint} {images.indices.tolist()} {n_words} {seed}"

    def learn() -> Rows:
        with track(f"learning the dictionary of {name}", min(len(images), coder.max_images)) as advance:
            return coder.fit(images, seed, progress=lambda done: advance(1)).words_

    return cached_array(key, learn)


def encoded_features(
    name: str, images: Images, words: Rows, vocabulary: Vocabulary = "lattice", threads: int = 1
) -> Rows:
    """A coded feature of each image, ``(n, 21 * n_words)``, each row of length 1; raises as `learn_dictionary`."""
    coder, about = _coder(name, len(words), vocabulary)
    coder.words_ = words
    key = f"{name} {about} {digest_array(words)}"
    return cached_rows(images, key, lambda part: coder.transform(part, threads=threads), what=name)


def direct_features(name: str, images: Images, vocabulary: Vocabulary = "lattice") -> Rows:
    """A feature without dictionary of each image, ``(n, d)``. Raises `UnknownName` for one that is none."""
    compute: Callable[[Images], Rows]
    if name == "gist":
        from relattr.features.gist import gist

        compute, about = gist, code_digest("relattr.features.gist")
    elif name == "lab-histogram":
        from relattr.features.lab import lab_histogram

        compute, about = lab_histogram, code_digest("relattr.features.lab")
    elif name == "texture":
        from relattr.features.lbp import lbp

        compute, about = lbp, code_digest("relattr.features.lbp")
    elif name == "color-histogram":

        def compute(part: Images) -> Rows:
            return color_histogram(part, vocabulary)

        about = f"{code_digest('relattr.features.color_names')} {vocabulary_fingerprint(vocabulary)}"
    else:
        raise UnknownName("feature without dictionary", name, DIRECT)
    return cached_rows(images, f"{name} {about}", compute, what=name)


def _coder(name: str, n_words: int, vocabulary: Vocabulary) -> tuple[EncodedFeature, str]:
    """The feature, and what decides its descriptors and codes as a string."""
    if name == "color-patches":
        from relattr.features.color_patches import ColorPatches

        code = code_digest("relattr.features.color_patches")
        return ColorPatches(vocabulary, n_words=n_words), f"{code} {vocabulary_fingerprint(vocabulary)}"
    if name in ("hog2x2", "hog3x3"):
        from relattr.features.hog2x2 import HOG2x2

        cells, pad = (2, 20) if name == "hog2x2" else (3, 24)
        return HOG2x2(cells=cells, pad=pad, n_words=n_words), code_digest("relattr.features.hog2x2")
    raise UnknownName("feature with a dictionary", name, ENCODED)
