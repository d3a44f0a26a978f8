"""Sources of images: files, a function that draws them, or arrays in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadImage, BadInput, Blocked
from relattr.system.digests import digest_array, digest_files, digest_text
from relattr.system.reading import MAX_IMAGE


class ImageSource(Protocol):
    """An ordered collection of named images that are read one by one."""

    @property
    def names(self) -> Sequence[str]:
        """A unique name for each image."""

    @property
    def fingerprint(self) -> str:
        """A string that changes whenever a pixel changes; the same on every machine."""

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        """Read an image, ``(height, width, 3)`` uint8 RGB, whose longer side is at most ``max_side``."""


class FileSource:
    """Image files ``root / name``. Raises `BadInput` for a duplicate name, and `BadImage` on reading a missing file."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root = root
        self.names: Sequence[str] = tuple(names)
        if len(set(self.names)) != len(self.names):
            twice, _ = Counter(self.names).most_common(1)[0]
            raise BadInput(f"image {twice} is listed twice in {root}")
        self._fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = digest_files(self.root, self.names, MAX_IMAGE)
        return self._fingerprint

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        return _decode(self.root / self.names[index], max_side)


def _decode(path: Path, max_side: int) -> NDArray[np.uint8]:
    from relattr.images.decode import decode  # imports Pillow, which commands that decode nothing can save

    return decode(path, max_side)


class SampledFileSource(FileSource):
    """A large collection of image files, of which only a sample is read for the fingerprint.

    ``names`` may be a lazy sequence, ``locate(name)`` returns the path, and ``key`` identifies the list of names. The
    fingerprint is of the key and the contents of ``n_sampled`` evenly spaced files: replacing all images, for example
    by ones of another size, changes it; replacing one image does not.
    """

    def __init__(
        self, root: Path, names: Sequence[str], locate: Callable[[str], Path], key: str, n_sampled: int = 257
    ) -> None:
        self.root = root
        self.names = names
        self._locate = locate
        self._key = key
        self._n_sampled = n_sampled
        self._fingerprint: str | None = None

    def sampled(self) -> list[Path]:
        """The files whose contents determine the fingerprint."""
        n = len(self.names)
        indices = np.unique(np.linspace(0, n - 1, min(n, self._n_sampled)).astype(np.int64))
        return [self._locate(self.names[k]) for k in indices.tolist()]

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            files = [path.relative_to(self.root).as_posix() for path in self.sampled()]
            self._fingerprint = digest_text("sampled", self._key, digest_files(self.root, files, MAX_IMAGE))
        return self._fingerprint

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        return _decode(self._locate(self.names[index]), max_side)


class MissingFileSource:
    """Images whose files are missing; only their names are known.

    ``key`` identifies the collection; ``why`` is the reason, for the `Blocked` error on reading an image.
    """

    def __init__(self, names: Sequence[str], key: str, why: str) -> None:
        self.names = tuple(names)
        self.fingerprint = digest_text("no files", key, *self.names)
        self._why = why

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        raise Blocked(f"image {self.names[index]} is not available: {self._why}")


class DrawnSource:
    """Images drawn by ``draw(index)``; ``key`` must change whenever the drawn images change."""

    def __init__(self, names: Sequence[str], draw: Callable[[int], NDArray[np.uint8]], key: str) -> None:
        self.names = tuple(names)
        self._draw = draw
        self.fingerprint = digest_text("drawn", key, str(len(self.names)))

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        image = self._draw(index)
        if max(image.shape[:2]) > max_side:
            raise BadImage(f"drawn image {self.names[index]} is {image.shape}, larger than {max_side}")
        return image


class ArraySource:
    """Images in memory, each ``(height, width, 3)`` uint8."""

    def __init__(self, arrays: Sequence[NDArray[np.uint8]], names: Sequence[str] | None = None) -> None:
        self.names = tuple(names) if names is not None else tuple(f"image-{i}" for i in range(len(arrays)))
        if len(self.names) != len(arrays):
            raise BadInput(f"{len(arrays)} images but {len(self.names)} names")
        for name, array in zip(self.names, arrays, strict=True):
            if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
                raise BadImage(f"image {name} is {array.dtype} {array.shape}; expected uint8 (height, width, 3)")
        self._arrays = arrays
        self.fingerprint = digest_text(*(digest_array(a) for a in arrays))

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        array = self._arrays[index]
        if max(array.shape[:2]) > max_side:
            raise BadImage(f"image {self.names[index]} is {array.shape}, larger than {max_side}")
        return array
