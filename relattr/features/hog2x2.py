"""HOG 2x2 with LLC and a spatial pyramid: the whole feature, 5,376 numbers an image.

The pipeline of Khosla, Xiao, Torralba, Oliva, "Memorability of Image Regions", NIPS 2012, with the parameters of
their feature toolbox: dense stacks of HOG cells (``hog``), a dictionary of 256 words learnt from training
images (``dictionary``), each descriptor coded by its 3 nearest words (``llc``), the largest weight of each word
in 21 cells of a pyramid (``pyramid``), finest level first, and the whole scaled to length 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from relattr import seeds
from relattr.errors import BadInput
from relattr.features import dictionary, llc, pyramid
from relattr.features.hog import CELL_CHANNELS, stacked_hog
from relattr.features.hog_grid import make_grid

Floats = npt.NDArray[np.float32]
Progress = Callable[[int], object]


class ImageSequence(Protocol):
    """What images are taken from: uint8 arrays (H, W, 3), or (H, W) for grey, of any sizes."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> npt.NDArray[np.uint8]: ...


class HOG2x2:
    """The feature, as an estimator: ``fit`` learns the dictionary, ``transform`` computes features.

    Parameters
    ----------
    cell, cells, step, pad: px a cell, cells a side of a descriptor, px between descriptors, px of mirror on
        each side (see ``hog``). HOG 3x3 is ``HOG2x2(cells=3, pad=24)``.
    maxsize: an image longer than this on a side is shrunk until it is not (bicubic, antialiased); none is
        enlarged.
    n_words: words in the dictionary.
    k, beta: nearest words of a descriptor, and the regulariser of its code (see ``llc``).
    levels: the pyramid's cells a side, in the order of concatenation.
    max_images, per_image, max_descriptors: the dictionary is learnt from at most so many images, descriptors of
        each, and descriptors in all, drawn at random.

    Attributes
    ----------
    words_: float32 (n_words, 31 * cells**2), the dictionary. To reuse one that was saved, assign it.
    """

    words_: Floats

    def __init__(
        self,
        cell: int = 8,
        cells: int = 2,
        step: int = 6,
        pad: int = 20,
        maxsize: int = 400,
        n_words: int = 256,
        k: int = 3,
        beta: float = 0.03,
        levels: Sequence[int] = (4, 2, 1),
        max_images: int = 500,
        per_image: int = 2000,
        max_descriptors: int = 500_000,
    ) -> None:
        self.cell = cell
        self.cells = cells
        self.step = step
        self.pad = pad
        self.maxsize = maxsize
        self.n_words = n_words
        self.k = k
        self.beta = beta
        self.levels = levels
        self.max_images = max_images
        self.per_image = per_image
        self.max_descriptors = max_descriptors

    @property
    def dimensions(self) -> int:
        """Length of a feature: words x cells of the pyramid."""
        return self.n_words * sum(g * g for g in self.levels)

    def fit(self, images: ImageSequence, seed: int = 0, progress: Progress | None = None) -> HOG2x2:
        """Learn the dictionary; ``images`` must be training images only.

        Holds the sampled descriptors (at most 248 MB with the defaults) and one image at a time. ``progress``
        is called with the number of images sampled so far. Raises BadInput for images that cannot be used, or
        too few of them for the dictionary.
        """
        rng = seeds.generator(seed, "dictionary", "sample")
        chosen = rng.permutation(len(images))[: self.max_images]
        counts = []
        for i in chosen:
            height, width = self._read(images, int(i)).shape[:2]
            ny, nx = make_grid(height, width, self.cell, self.cells, self.step, self.pad).shape
            counts.append(ny * nx)
        taken = dictionary.quotas(counts, self.per_image, self.max_descriptors, rng)
        sample = np.empty((int(taken.sum()), CELL_CHANNELS * self.cells**2), dtype=np.float32)
        filled = 0
        for done, (i, n) in enumerate(zip(chosen, taken, strict=True), start=1):
            found = self._descriptors(self._read(images, int(i)))[0]
            sample[filled : filled + n] = found[rng.choice(len(found), size=int(n), replace=False)]
            filled += int(n)
            if progress is not None:
                progress(done)
        self.words_ = dictionary.learn(sample, self.n_words, seeds.derive(seed, "dictionary", "k-means"))
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
            raise BadInput(f"HOG features: threads is {threads}; it must be at least 1")
        features = np.empty((len(images), self.dimensions), dtype=np.float32)

        def one(image: npt.NDArray[np.uint8]) -> Floats:
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

    def _feature(self, image: npt.NDArray[np.uint8], words: Floats) -> Floats:
        found, positions = self._descriptors(image)
        indices, weights = llc.encode(found, words, self.k, self.beta)
        height, width = image.shape[:2]
        pooled = pyramid.max_pool(indices, weights, positions, (height, width), len(words), self.levels)
        # Never 0 / 0: a code sums to one, so some word has a positive weight in some cell.
        return pooled / np.float32(np.sqrt(np.sum(np.square(pooled, dtype=np.float64))))

    def _descriptors(self, image: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        return stacked_hog(image, self.cell, self.cells, self.step, self.pad)

    def _read(self, images: ImageSequence, index: int) -> npt.NDArray[np.uint8]:
        """Image ``index`` with three channels and no side above ``maxsize``."""
        image = np.asarray(images[index])
        grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
        if image.dtype != np.uint8 or not (grey or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
            raise BadInput(
                f"HOG features: image {index} is {image.dtype} of shape {image.shape}; "
                "expected uint8 of shape (H, W, 3), or (H, W) for grey, with at least one pixel"
            )
        if grey:
            image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
        return shrink(image, self.maxsize)

    def _checked_words(self) -> Floats:
        if not hasattr(self, "words_"):
            raise BadInput("HOG features: there is no dictionary yet; call fit, or assign words_")
        words = np.asarray(self.words_, dtype=np.float32)
        expected = (self.n_words, CELL_CHANNELS * self.cells**2)
        if words.shape != expected or not np.isfinite(words).all():
            raise BadInput(f"HOG features: words_ must be finite numbers of shape {expected}, got {words.shape}")
        return words


def shrink(image: npt.NDArray[np.uint8], maxsize: int) -> npt.NDArray[np.uint8]:
    """The image scaled down so that its longer side is ``maxsize`` (the shorter rounded up), or as it is."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if maxsize < 1:
        raise BadInput(f"HOG features: maxsize is {maxsize}; it must be at least 1 px")
    if longer <= maxsize:
        return image
    from PIL import Image

    new_height, new_width = (-(-side * maxsize // longer) for side in (height, width))
    small = Image.fromarray(np.ascontiguousarray(image)).resize((new_width, new_height), Image.Resampling.BICUBIC)
    return np.asarray(small)
