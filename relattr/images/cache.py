"""Images decoded once and kept as memory-mapped arrays, in shards that several processes can build.

A shard holds some hundred consecutive images: ``00007.shapes.npy`` their heights and widths, ``00007.npy``
their pixels one after another. Each is written whole and renamed, the pixels last, under a lock of
its own: a killed process loses one shard at most, and two processes never decode the same one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from relattr.progress import track
from relattr.system.atomic import read_array, replacing, sweep, write_array

SHARD = 256
"""Images in a shard, at least."""

MOST_SHARDS = 512
"""A mapped file is an open file, and a process may have about a thousand: large collections have larger shards."""

_Shard = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]


class DecodedImages:
    """The decoded images of ``n`` sources in ``folder``; ``read(index)`` decodes one."""

    def __init__(self, folder: Path, n: int, read: Callable[[int], NDArray[np.uint8]]) -> None:
        self._folder = folder
        self._n = n
        self._read = read
        self._size = max(SHARD, -(-n // MOST_SHARDS))
        self._open: dict[int, _Shard] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}}  # another process maps the files itself; pickled they would be copied

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
        """Decode whatever is not decoded yet, beside other processes that do the same."""
        missing = [s for s in range(self.n_shards) if not self._path(s).exists()]
        if not missing:
            return
        with track("decoding images", self._n) as advance:
            advance(self._n - sum(len(self._members(shard)) for shard in missing))
            busy = []
            for shard in missing:
                try:
                    self._build(shard, timeout=0)
                    advance(len(self._members(shard)))
                except Timeout:  # another process has it; come back when the rest is done
                    busy.append(shard)
            for shard in busy:
                self._build(shard)
                advance(len(self._members(shard)))

    def _members(self, shard: int) -> range:
        return range(shard * self._size, min((shard + 1) * self._size, self._n))

    def _path(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.npy"

    def _load(self, shard: int) -> _Shard | None:
        """The shard, if it is there and whole."""
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
        with FileLock(path.with_suffix(".lock"), timeout=timeout):
            done = self._load(shard)
            if done is not None:
                return done
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # Pillow decodes outside the GIL
                images = list(pool.map(self._read, self._members(shard)))
            sweep(path)
            write_array(path.with_suffix(".shapes.npy"), np.array([image.shape[:2] for image in images], np.int32))
            with replacing(path) as temporary, temporary.open("wb") as file:
                total = sum(image.size for image in images)
                header = {"descr": "|u1", "fortran_order": False, "shape": (total,)}
                np.lib.format.write_array_header_1_0(file, header)
                for image in images:  # one by one: concatenated they would be in memory twice
                    file.write(np.ascontiguousarray(image).data)
            done = self._load(shard)
            assert done is not None
            return done
