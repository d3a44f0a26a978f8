"""Decoded images, stored as memory-mapped arrays in shards that several processes can build.

A shard holds a few hundred consecutive images: ``00007.index.npy`` their heights, widths and checksums, ``00007.npy``
their concatenated pixels. Both are written atomically, the pixels last, under one lock for each shard: a killed process
loses at most one shard, and two processes never decode the same one.

The checksum of an image is compared when a process reads the image for the first time; a damaged shard is decoded
again. CRC-32 is used because it costs a small part of the time of decoding, and the index has a SHA-256. Where the
folder cannot be written, images are decoded at every access.
"""

from __future__ import annotations

import errno
import os
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.progress import track
from relattr.system.atomic import atomic_replace, read_array, remove_leftovers, write_array

SHARD = 256
"""Minimum number of images in a shard."""

MAX_SHARDS = 512
"""Larger collections have larger shards: each is an open file, of which a process may have about a thousand."""

_INDEX = np.dtype([("height", "<i4"), ("width", "<i4"), ("crc32", "<u4")])


@dataclass(frozen=True, eq=False)
class _Shard:
    """A mapped shard: where each image starts, ``(n + 1,)``, the index ``(n,)``, all pixels, and which are verified."""

    starts: NDArray[np.int64]
    index: NDArray[np.void]
    pixels: NDArray[np.uint8]
    verified: NDArray[np.bool_]

    def image(self, k: int) -> NDArray[np.uint8] | None:
        """Image ``k`` of the shard; None if its pixels do not have the stored checksum."""
        pixels = self.pixels[self.starts[k] : self.starts[k + 1]]
        if not self.verified[k]:
            if zlib.crc32(pixels.data) != self.index["crc32"][k]:
                return None
            self.verified[k] = True
        return pixels.reshape(self.index["height"][k], self.index["width"][k], 3)


class DecodedImages:
    """The decoded images of ``n`` sources in ``folder``; ``read(index)`` decodes one."""

    def __init__(self, folder: Path, n: int, read: Callable[[int], NDArray[np.uint8]]) -> None:
        self._folder = folder
        self._n = n
        self._read = read
        self._size = max(SHARD, -(-n // MAX_SHARDS))
        self._open: dict[int, _Shard] = {}
        self._is_writable = True

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}}  # pickling would copy the arrays; another process maps the files itself

    @property
    def n_shards(self) -> int:
        return -(-self._n // self._size)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        shard, k = divmod(index, self._size)
        if self._is_writable:
            try:
                return self._stored(shard, k)
            except OSError as error:
                self._give_up(error)
        return self._read(index)

    def _stored(self, shard: int, k: int) -> NDArray[np.uint8]:
        """Image ``k`` of a shard, which is built if it is missing or damaged."""
        for _ in range(2):
            opened = self._open.get(shard) or self._load(shard) or self._build(shard)
            self._open[shard] = opened
            image = opened.image(k)
            if image is not None:
                return image
            warnings.warn(f"{self._path(shard)} is damaged; its images are decoded again", stacklevel=4)
            self._open.pop(shard, None)
            self._remove_damaged(shard)
        raise OSError(errno.EIO, "differs from what was written to it", str(self._path(shard)))

    def _give_up(self, error: OSError) -> None:
        """Decode at every access from now on."""
        self._is_writable = False
        warnings.warn(
            f"decoded images cannot be stored: {error.filename or self._folder}: {error.strerror or error}; they are "
            "decoded at every access. Free some space, or set RELATTR_CACHE to a folder that can be written",
            stacklevel=4,
        )

    def prepare(self) -> None:
        """Decode all images that are not decoded yet; several processes can share the work."""
        missing = [s for s in range(self.n_shards) if not (self._path(s).exists() and self._index_path(s).exists())]
        if not missing:
            return
        from filelock import Timeout  # takes 20 ms, which commands that decode nothing can save

        with track("decoding images", self._n) as advance:
            advance(self._n - sum(len(self._members(shard)) for shard in missing))
            locked = []
            try:
                for shard in missing:
                    try:
                        self._build(shard, timeout=0)
                        advance(len(self._members(shard)))
                    except Timeout:  # another process decodes it; wait for it after the others
                        locked.append(shard)
                for shard in locked:
                    self._build(shard)
                    advance(len(self._members(shard)))
            except OSError as error:
                self._give_up(error)

    def _members(self, shard: int) -> range:
        return range(shard * self._size, min((shard + 1) * self._size, self._n))

    def _path(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.npy"

    def _index_path(self, shard: int) -> Path:
        return self._path(shard).with_suffix(".index.npy")

    def _load(self, shard: int) -> _Shard | None:
        """Map the shard; None if it does not exist or its index is damaged."""
        index = read_array(self._index_path(shard))
        pixels = read_array(self._path(shard), "r")
        if index is None or pixels is None:
            return None
        n = len(self._members(shard))
        if index.shape != (n,) or index.dtype != _INDEX or pixels.dtype != np.uint8:
            return None
        sizes = index["height"].astype(np.int64) * index["width"] * 3
        starts = np.concatenate([[0], np.cumsum(sizes)])
        if pixels.shape != (starts[-1],):
            return None
        return _Shard(starts, index, pixels, np.zeros(n, np.bool_))

    def _remove_damaged(self, shard: int) -> None:
        """Remove a shard, unless another process has rebuilt it in the meantime."""
        from filelock import FileLock

        path = self._path(shard)
        with FileLock(path.with_suffix(".lock")):
            stored = self._load(shard)
            if stored is not None and any(stored.image(k) is None for k in range(len(self._members(shard)))):
                path.unlink(missing_ok=True)

    def _build(self, shard: int, timeout: float = -1) -> _Shard:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(shard)
        from filelock import FileLock

        with FileLock(path.with_suffix(".lock"), timeout=timeout):
            loaded = self._load(shard)
            if loaded is not None:
                return loaded
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # Pillow releases the GIL while decoding
                images = list(pool.map(self._read, self._members(shard)))
            remove_leftovers(path)
            contiguous = map(np.ascontiguousarray, images)
            index = [
                (*image.shape[:2], zlib.crc32(pixels.data)) for image, pixels in zip(images, contiguous, strict=True)
            ]
            write_array(self._index_path(shard), np.array(index, _INDEX))
            with atomic_replace(path) as temporary, temporary.open("wb") as file:
                total = sum(image.size for image in images)
                header = {"descr": "|u1", "fortran_order": False, "shape": (total,)}
                np.lib.format.write_array_header_1_0(file, header)
                for image in images:  # concatenating them would need twice the memory
                    file.write(np.ascontiguousarray(image).data)
            loaded = self._load(shard)
            assert loaded is not None
            return loaded
