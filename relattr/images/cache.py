"""Decoded images, stored as memory-mapped arrays in shards that several processes can build.

A shard holds a few hundred consecutive images: ``00007.shapes.npy`` their heights and widths, ``00007.npy`` their
concatenated pixels. Both are written atomically, the pixels last, under one lock for each shard: a killed process
loses at most one shard, and two processes never decode the same one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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

_Shard = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]


class DecodedImages:
    """The decoded images of ``n`` sources in ``folder``; ``read(index)`` decodes one."""

    def __init__(self, folder: Path, n: int, read: Callable[[int], NDArray[np.uint8]]) -> None:
        self._folder = folder
        self._n = n
        self._read = read
        self._size = max(SHARD, -(-n // MAX_SHARDS))
        self._open: dict[int, _Shard] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}}  # pickling would copy the arrays; another process maps the files itself

    @property
    def n_shards(self) -> int:
        return -(-self._n // self._size)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        shard, k = divmod(index, self._size)
        if shard not in self._open:
            self._open[shard] = self._load(shard) or self._build(shard)
        starts, shapes, pixels = self._open[shard]
        height, width = shapes[k]
        return pixels[starts[k] : starts[k + 1]].reshape(height, width, 3)

    def prepare(self) -> None:
        """Decode all images that are not decoded yet; several processes can share the work."""
        missing = [s for s in range(self.n_shards) if not self._path(s).exists()]
        if not missing:
            return
        from filelock import Timeout  # takes 20 ms, which commands that decode nothing can save

        with track("decoding images", self._n) as advance:
            advance(self._n - sum(len(self._members(shard)) for shard in missing))
            locked = []
            for shard in missing:
                try:
                    self._build(shard, timeout=0)
                    advance(len(self._members(shard)))
                except Timeout:  # another process decodes it; wait for it after the others
                    locked.append(shard)
            for shard in locked:
                self._build(shard)
                advance(len(self._members(shard)))

    def _members(self, shard: int) -> range:
        return range(shard * self._size, min((shard + 1) * self._size, self._n))

    def _path(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.npy"

    def _load(self, shard: int) -> _Shard | None:
        """Map the shard; None if it does not exist or is damaged."""
        shapes = read_array(self._path(shard).with_suffix(".shapes.npy"))
        pixels = read_array(self._path(shard), "r")
        if shapes is None or pixels is None:
            return None
        if shapes.shape != (len(self._members(shard)), 2) or shapes.dtype != np.int32 or pixels.dtype != np.uint8:
            return None
        starts = np.concatenate([[0], np.cumsum(shapes.astype(np.int64).prod(1) * 3)])
        return (starts, shapes, pixels) if pixels.shape == (starts[-1],) else None

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
            write_array(path.with_suffix(".shapes.npy"), np.array([image.shape[:2] for image in images], np.int32))
            with atomic_replace(path) as temporary, temporary.open("wb") as file:
                total = sum(image.size for image in images)
                header = {"descr": "|u1", "fortran_order": False, "shape": (total,)}
                np.lib.format.write_array_header_1_0(file, header)
                for image in images:  # concatenating them would need twice the memory
                    file.write(np.ascontiguousarray(image).data)
            loaded = self._load(shard)
            assert loaded is not None
            return loaded
