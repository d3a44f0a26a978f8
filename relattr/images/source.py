"""Where images come from: files, a function that draws them, or arrays already in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadImage, BadInput, Blocked
from relattr.images.decode import decode
from relattr.system.digests import digest_array, digest_files, digest_text


class ImageSource(Protocol):
    """An ordered collection of named images that can be read one by one."""

    @property
    def names(self) -> Sequence[str]:
        """A name for each image, unique."""

    @property
    def fingerprint(self) -> str:
        """What decides every pixel, as one string; the same on every machine."""

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        """The image, ``(height, width, 3)`` uint8 RGB, its longer side at most ``max_side``."""


class FileSource:
    """Image files ``root / name``. Raises `BadInput` when one is named twice, and on use when one is not there."""

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
            self._fingerprint = digest_files(self.root, self.names)
        return self._fingerprint

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        return decode(self.root / self.names[index], max_side)


class ManyFiles(FileSource):
    """Image files too many to be looked at before each is needed.

    ``names`` may be made on demand; ``locate(name)`` gives the file. ``key`` stands for all names. The fingerprint
    is of the key and of the contents of ``n_sampled`` files, evenly spaced: exchanging all images, by ones of
    another size for instance, is seen; exchanging one is not.
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
        """The files whose contents are in the fingerprint."""
        n = len(self.names)
        which = np.unique(np.linspace(0, n - 1, min(n, self._n_sampled)).astype(np.int64))
        return [self._locate(self.names[k]) for k in which.tolist()]

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            files = [path.relative_to(self.root).as_posix() for path in self.sampled()]
            self._fingerprint = digest_text("sampled", self._key, digest_files(self.root, files))
        return self._fingerprint

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        return decode(self._locate(self.names[index]), max_side)


class NoFiles:
    """Images of which only the names are here; ``key`` names what decides them, ``why`` what is missing."""

    def __init__(self, names: Sequence[str], key: str, why: str) -> None:
        self.names = tuple(names)
        self.fingerprint = digest_text("no files", key, *self.names)
        self._why = why

    def read(self, index: int, max_side: int) -> NDArray[np.uint8]:
        raise Blocked(f"image {self.names[index]} is not here: {self._why}")


class DrawnSource:
    """Images drawn by ``draw(index)``; ``key`` names everything that decides what is drawn."""

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
