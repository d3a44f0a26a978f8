"""Dense descriptors coded by LLC over a spatial pyramid: the pipeline that several classic features share.

That of Khosla, Xiao, Torralba, Oliva, "Memorability of Image Regions", NIPS 2012, with the parameters of their
feature toolbox: dense descriptors (a subclass says which), a dictionary of 256 words learnt from training images
(``dictionary``), each descriptor coded by its 3 nearest words (``llc``), the largest weight of each word in 21
cells of a pyramid (``pyramid``), finest level first, and the whole scaled to length 1: 5,376 numbers an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from relattr.errors import BadInput
from relattr.features import dictionary, llc, pyramid
from relattr.features.input import ImageSequence, Pixels, read_image
from relattr.random import derive_seed, generator

Floats = npt.NDArray[np.float32]
Progress = Callable[[int], object]
Self = TypeVar("Self", bound="EncodedFeature")


class EncodedFeature:
    """The feature, as an estimator: ``fit`` learns the dictionary, ``transform`` computes features.

    A subclass gives ``width``, ``count`` and ``descriptors``.

    Parameters
    ----------
    maxsize: an image longer than this on a side is shrunk until it is not (bicubic, antialiased); none is
        enlarged.
    n_words: words in the dictionary.
    k, beta: nearest words of a descriptor, and the regulariser of its code (see ``llc``).
    levels: the pyramid's cells a side, in the order of concatenation.
    max_images, per_image, max_descriptors: the dictionary is learnt from at most so many images, descriptors of
        each, and descriptors in all, drawn at random.

    Attributes
    ----------
    words_: float32 (n_words, width), the dictionary. To reuse one that was saved, assign it.
    """

    what = "features"
    """What errors call it."""
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
    def width(self) -> int:
        """Length of a descriptor."""
        raise NotImplementedError

    def count(self, height: int, width: int) -> int:
        """How many descriptors an image of this size has."""
        raise NotImplementedError

    def descriptors(self, image: Pixels) -> tuple[Floats, Floats]:
        """Those of one image ``(n, width)``, and the y and x of their centres in px from its top left corner."""
        raise NotImplementedError

    @property
    def dimensions(self) -> int:
        """Length of a feature: words x cells of the pyramid."""
        return self.n_words * sum(g * g for g in self.levels)

    def fit(self: Self, images: ImageSequence, seed: int = 0, progress: Progress | None = None) -> Self:
        """Learn the dictionary; ``images`` must be training images only.

        Holds the sampled descriptors (at most 248 MB with the defaults) and one image at a time. ``progress``
        is called with the number of images sampled so far. Raises BadInput for images that cannot be used, or
        too few of them for the dictionary.
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
            found = self.descriptors(self._read(images, int(i)))[0]
            sample[filled : filled + n] = found[rng.choice(len(found), size=int(n), replace=False)]
            filled += int(n)
            if progress is not None:
                progress(done)
        self.words_ = dictionary.learn_visual_words(sample, self.n_words, derive_seed(seed, "dictionary", "k-means"))
        return self

    def transform(self, images: ImageSequence, progress: Progress | None = None, threads: int = 1) -> Floats:
        """Features, float32 ``(len(images), dimensions)``, each of length 1.

        An image's feature depends on nothing but the image and ``words_``: not on the other images, their
        order, or ``threads``. A few images are held at a time; all are taken from ``images`` on the calling
        thread. ``progress`` is called with the number of images done so far. Raises BadInput before ``fit``,
        or for an image that cannot be used, naming it.
        """
        words = self._checked_words()
        if threads < 1:
            raise BadInput(f"{self.what}: threads is {threads}; it must be at least 1")
        features = np.empty((len(images), self.dimensions), dtype=np.float32)

        def one(image: Pixels) -> Floats:
            return self._feature(image, words)

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(images), 4 * threads):
                group = range(start, min(start + 4 * threads, len(images)))
                arrays = [self._read(images, i) for i in group]
                results: Iterator[Floats] = map(one, arrays) if threads == 1 else pool.map(one, arrays)
                for i, feature in zip(group, results, strict=True):
                    features[i] = feature
                    if progress is not None:
                        progress(i + 1)
        return features

    def fit_transform(self, images: ImageSequence, seed: int = 0) -> Floats:
        """``fit`` and then ``transform`` of the same images."""
        return self.fit(images, seed).transform(images)

    def _feature(self, image: Pixels, words: Floats) -> Floats:
        found, positions = self.descriptors(image)
        indices, weights = llc.encode_llc(found, words, self.k, self.beta)
        height, width = image.shape[:2]
        pooled = pyramid.max_pool(indices, weights, positions, (height, width), len(words), self.levels)
        # Never 0 / 0: a code sums to one, so some word has a positive weight in some cell.
        return pooled / np.float32(np.sqrt(np.sum(np.square(pooled, dtype=np.float64))))

    def _read(self, images: ImageSequence, index: int) -> Pixels:
        return read_image(images, index, self.maxsize, self.what)

    def _checked_words(self) -> Floats:
        if not hasattr(self, "words_"):
            raise BadInput(f"{self.what}: there is no dictionary yet; call fit, or assign words_")
        words = np.asarray(self.words_, dtype=np.float32)
        expected = (self.n_words, self.width)
        if words.shape != expected or not np.isfinite(words).all():
            raise BadInput(f"{self.what}: words_ must be finite numbers of shape {expected}, got {words.shape}")
        return words
