"""`Images`: an ordered, lazily decoded collection of images, addressed by index."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, overload

import numpy as np
import PIL
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadImage, BadInput
from relattr.identity import code_digest
from relattr.images.answers import PairAnswers
from relattr.images.cache import DecodedImages
from relattr.images.formats import HEIC_SUFFIXES, heic_version
from relattr.images.source import (
    ArraySource,
    DrawnSource,
    FileSource,
    ImageSource,
    MissingFileSource,
    SampledFileSource,
)
from relattr.readonly import read_only
from relattr.system.digests import digest_text
from relattr.system.numbers import is_digits
from relattr.system.paths import cache_dir

__all__ = [
    "ArraySource",
    "DrawnSource",
    "FileSource",
    "ImageSource",
    "Images",
    "MissingFileSource",
    "PairAnswers",
    "SampledFileSource",
]

MAX_STORED_SIDE = 512
"""Larger images are downscaled to this longer side when they are read; no feature uses a higher resolution."""

DECODE_LIMIT = 16 * 1024**3
"""Bytes of decoded images stored on disk for one source; images of a larger source are decoded at every access.

The environment variable RELATTR_DECODE_LIMIT overrides it."""


class _Collection:
    """A source with its decoded images and shipped features, shared by all `Images` that are subsets of it."""

    def __init__(self, source: ImageSource, limit: int, features: NDArray[np.floating[Any]] | None) -> None:
        self.source = source
        self._limit = limit
        self.features = None if features is None else _checked(features, source.names)

    @cached_property
    def decoded(self) -> DecodedImages | None:
        """The decoded images on disk; None for arrays, and if they would exceed the limit."""
        n = len(self.source.names)
        if isinstance(self.source, ArraySource) or n == 0 or self._limit == 0:
            return None
        sizes = [self.read(k).nbytes for k in np.unique(np.linspace(0, n - 1, 5).astype(int)).tolist()]
        if sum(sizes) / len(sizes) * n > self._limit:
            return None
        return DecodedImages(cache_dir() / "decoded" / self.fingerprint[:40], n, self.read)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the source and, for files, of the code and library that decode them."""
        if not isinstance(self.source, FileSource):
            return self.source.fingerprint
        decoder = code_digest("relattr.images.decode")
        parts = [self.source.fingerprint, decoder, PIL.__version__, str(MAX_STORED_SIDE)]
        if any(name.lower().endswith(HEIC_SUFFIXES) for name in self.source.names):
            parts.append(heic_version())
        return digest_text(*parts)

    def read(self, index: int) -> NDArray[np.uint8]:
        image = self.source.read(index, MAX_STORED_SIDE)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise BadImage(
                f"image {self.source.names[index]} is {image.dtype} {image.shape}; expected uint8 (height, width, 3)"
            )
        return image


class Images:
    """An ordered collection of images, or a subset of one. Images are decoded when they are read.

    ``images[i]`` is ``(height, width, 3)`` uint8 RGB, read-only; sizes may differ. A slice, such as ``images[:10]``, is
    an `Images` too. It and a `subset` share the decoded images and features. ``features`` ``(n, d)`` are features that
    were released with the images; raises `BadInput` unless they are finite. ``images.answers`` are answers about pairs
    of these images, other than their labels, by name (see `with_answers`).
    """

    answers: Mapping[str, PairAnswers] = MappingProxyType({})

    def __init__(
        self, source: ImageSource, *, limit: int | None = None, features: NDArray[np.floating[Any]] | None = None
    ) -> None:
        self._collection = _Collection(source, _limit() if limit is None else limit, features)
        self._indices: NDArray[np.int32] = read_only(np.arange(len(source.names), dtype=np.int32))

    @classmethod
    def from_arrays(
        cls,
        arrays: Sequence[NDArray[np.uint8]],
        names: Sequence[str] | None = None,
        *,
        features: NDArray[np.floating[Any]] | None = None,
    ) -> Images:
        """Images in memory, each ``(height, width, 3)`` uint8."""
        return cls(ArraySource(arrays, names), features=features)

    def __len__(self) -> int:
        return self._indices.size

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Images: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | Images:
        if isinstance(index, slice):
            return self.subset(np.arange(len(self))[index])
        k = int(self._indices[operator.index(index)])
        decoded = self._collection.decoded
        image = self._collection.read(k) if decoded is None else decoded[k]
        view = image.view()
        view.flags.writeable = False
        return view

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[i] for i in range(len(self)))

    def subset(self, indices: ArrayLike) -> Images:
        """The images at these positions, ``(k,)`` integers, in this order."""
        which = np.asarray(indices)
        if which.ndim != 1 or not (which.size == 0 or np.issubdtype(which.dtype, np.integer)):
            raise BadInput(f"subset takes (k,) integers; got {which.dtype} of shape {which.shape}")
        bad = which[(which < 0) | (which >= len(self))]
        if bad.size:
            raise BadInput(f"image {bad[0]} is not one of the {len(self)} images")
        part = Images.__new__(Images)
        part._collection = self._collection
        part._indices = read_only(self._indices[which.astype(np.int64)])
        part.answers = self.answers
        return part

    def with_answers(self, name: str, answers: PairAnswers) -> Images:
        """The same images with the answers of ``name`` about pairs of images of the collection.

        Answers belong to the images, like their pixels, not to the labels: methods read those about test pairs in
        ``compare``. A dataset must add to training images only answers about training pairs.
        """
        part = self.subset(np.arange(len(self)))
        part.answers = MappingProxyType({**self.answers, name: answers})
        return part

    def prepare(self) -> None:
        """Decode the whole collection now. Several processes can share the work."""
        if isinstance(self._collection.source, MissingFileSource):
            return  # methods that read no image can run without them
        decoded = self._collection.decoded
        if decoded is not None:
            decoded.prepare()

    @property
    def names(self) -> list[str]:
        """The name of each image."""
        names = self._collection.source.names
        return [names[k] for k in self._indices]

    @property
    def shipped_features(self) -> NDArray[np.floating[Any]] | None:
        """The features ``(n, d)`` released with the images; None if there are none."""
        features = self._collection.features
        return None if features is None else features[self._indices]

    @property
    def indices(self) -> NDArray[np.int32]:
        """The position of each image in the whole collection, ``(n,)``."""
        return self._indices

    @property
    def n_collection(self) -> int:
        """The number of images in the whole collection."""
        return len(self._collection.source.names)

    @property
    def collection_fingerprint(self) -> str:
        """A digest of everything that determines the pixels of the whole collection, including decoding."""
        return self._collection.fingerprint

    def __repr__(self) -> str:
        return f"Images({len(self)} of {self.n_collection})"


def _limit() -> int:
    text = os.environ.get("RELATTR_DECODE_LIMIT") or str(DECODE_LIMIT)
    if not is_digits(text):
        raise BadInput(f"RELATTR_DECODE_LIMIT is {text!r}; expected a number of bytes")
    return int(text)


def _checked(features: NDArray[np.floating[Any]], names: Sequence[str]) -> NDArray[np.floating[Any]]:
    if features.ndim != 2 or features.shape[0] != len(names) or not features.shape[1] or features.dtype.kind != "f":
        raise BadInput(
            f"shipped features are {features.dtype} {features.shape}; expected floating-point numbers ({len(names)}, d)"
        )
    bad = np.flatnonzero(~np.isfinite(features).all(1))
    if bad.size:
        raise BadInput(f"the shipped features of image {names[bad[0]]} are not finite")
    return features
