"""Bag of visual words: dense descriptors, LLC encoding and max pooling over a spatial pyramid.

The pipeline of Khosla, Xiao, Torralba, Oliva, "Memorability of Image Regions", NIPS 2012, with the parameters of their
feature toolbox: dense descriptors (defined by a subclass), a dictionary of 256 visual words learned from training
images (``dictionary``), locality-constrained linear coding with the 3 nearest words (``llc``), max pooling over 21
cells of a spatial pyramid, finest level first (``pyramid``), and L2 normalisation: 5,376 dimensions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput
from relattr.features import dictionary, llc, pyramid
from relattr.features.input import read_image
from relattr.images.sequence import ImageSequence, Pixels
from relattr.random import derive_seed, generator

Floats = npt.NDArray[np.float32]
Progress = Callable[[int], object]
Self = TypeVar("Self", bound="EncodedFeature")


class EncodedFeature(ABC):
    """Base class of encoded features: ``fit`` learns the dictionary, ``transform`` computes features.

    A subclass defines ``width``, ``count`` and ``descriptors``.

    Parameters
    ----------
    maxsize: longest side in px; larger images are downscaled (bicubic, antialiased), none is enlarged.
    n_words: words in the dictionary.
    k, beta: nearest words that encode a descriptor, and the regularisation of the code (see ``llc``).
    levels: cells per side of the levels of the pyramid, in the order of concatenation.
    max_images, per_image, max_descriptors: the dictionary is learned from at most this many images, descriptors of
        each image, and descriptors in total, sampled at random.

    Attributes
    ----------
    words_: float32 (n_words, width), the dictionary. Assign a saved one to reuse it.
    """

    label = "features"
    """Name of the feature in error messages."""
    words_: Floats

    def __init__(
        self,
        maxsize: int,
        n_words: int = 256,
        k: int = 3,
        beta: float = 0.03,
        levels: Sequence[int] = (4, 2, 1),
        max_images: int = 500,
        per_image: int = 2000,
        max_descriptors: int = 500_000,
    ) -> None:
        self.maxsize = maxsize
        self.n_words = n_words
        self.k = k
        self.beta = beta
        self.levels = levels
        self.max_images = max_images
        self.per_image = per_image
        self.max_descriptors = max_descriptors

    @property
    @abstractmethod
    def width(self) -> int:
        """Length of a descriptor."""

    @abstractmethod
    def count(self, height: int, width: int) -> int:
        """Return the number of descriptors of an image of this size."""

    @abstractmethod
    def descriptors(self, image: Pixels) -> tuple[Floats, Floats]:
        """Return the descriptors of an image ``(n, width)``, and y and x of their centres in px, origin at top left."""

    @property
    def dimensions(self) -> int:
        """Length of a feature: number of words times cells of the pyramid."""
        return self.n_words * sum(g * g for g in self.levels)

    def fit(self: Self, images: ImageSequence, seed: int = 0, progress: Progress | None = None) -> Self:
        """Learn the dictionary; ``images`` must be training images only.

        Keeps the sampled descriptors (at most 248 MB with the defaults) and one image in memory. ``progress`` is
        called with the number of images sampled so far. Raises `BadInput` for invalid images, or for too few
        descriptors to learn the dictionary from.
        """
        rng = generator(seed, "dictionary", "sample")
        chosen = rng.permutation(len(images))[: self.max_images]
        counts = []
        for i in chosen:
            height, width = self._read(images, int(i)).shape[:2]
            counts.append(self.count(height, width))
        taken = dictionary.sample_quotas(counts, self.per_image, self.max_descriptors, rng)
        sample = np.empty((int(taken.sum()), self.width), dtype=np.float32)
        filled = 0
        for done, (i, n) in enumerate(zip(chosen, taken, strict=True), start=1):
            descriptors = self.descriptors(self._read(images, int(i)))[0]
            sample[filled : filled + n] = descriptors[rng.choice(len(descriptors), size=int(n), replace=False)]
            filled += int(n)
            if progress is not None:
                progress(done)
        self.words_ = dictionary.learn_visual_words(sample, self.n_words, derive_seed(seed, "dictionary", "k-means"))
        return self

    def transform(self, images: ImageSequence, progress: Progress | None = None, threads: int = 1) -> Floats:
        """Return the features, float32 ``(len(images), dimensions)``, each of unit norm.

        The feature of an image depends only on the image and ``words_``, not on the other images, their order or
        ``threads``. A few images are in memory at a time; all are read from ``images`` on the calling thread.
        ``progress`` is called with the number of images completed so far. Raises `BadInput` before ``fit``, or,
        naming it, for an invalid image.
        """
        words = self._validated_words()
        if threads < 1:
            raise BadInput(f"{self.label}: threads is {threads}; it must be at least 1")
        features = np.empty((len(images), self.dimensions), dtype=np.float32)

        def encode(image: Pixels) -> Floats:
            return self._feature(image, words)

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(images), 4 * threads):
                group = range(start, min(start + 4 * threads, len(images)))
                arrays = [self._read(images, i) for i in group]
                results: Iterator[Floats] = map(encode, arrays) if threads == 1 else pool.map(encode, arrays)
                for i, feature in zip(group, results, strict=True):
                    features[i] = feature
                    if progress is not None:
                        progress(i + 1)
        return features

    def fit_transform(self, images: ImageSequence, seed: int = 0) -> Floats:
        """Run ``fit`` and then ``transform`` on the same images."""
        return self.fit(images, seed).transform(images)

    def _feature(self, image: Pixels, words: Floats) -> Floats:
        descriptors, positions = self.descriptors(image)
        indices, weights = llc.encode_llc(descriptors, words, self.k, self.beta)
        height, width = image.shape[:2]
        pooled = pyramid.max_pool(indices, weights, positions, (height, width), len(words), self.levels)
        # The norm is never 0: a code sums to one, so some word has a positive weight in some cell.
        return pooled / np.float32(np.sqrt(np.sum(np.square(pooled, dtype=np.float64))))

    def _read(self, images: ImageSequence, index: int) -> Pixels:
        return read_image(images, index, self.maxsize, self.label)

    def _validated_words(self) -> Floats:
        if not hasattr(self, "words_"):
            raise BadInput(f"{self.label}: there is no dictionary; call fit first, or assign words_")
        words = np.asarray(self.words_, dtype=np.float32)
        expected = (self.n_words, self.width)
        if words.shape != expected or not np.isfinite(words).all():
            raise BadInput(
                f"{self.label}: words_ must hold finite numbers of shape {expected}, got shape {words.shape}"
            )
        return words
