"""Images decoded once and kept as memory-mapped arrays, in shards that several processes can build.

A shard holds `SHARD` consecutive images: ``00007.shapes.npy`` their heights and widths, ``00007.npy``
their pixels one after another. Each is written whole and renamed, the pixels last, under a lock of
its own: a killed process loses one shard at most, and two processes never decode the same one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from relattr.atomic import replacing
from relattr.progress import track

SHARD = 256


class DecodedImages:
    """The decoded images of ``n`` sources in ``folder``; ``read(index)`` decodes one."""

    def __init__(self, folder: Path, n: int, read: Callable[[int], NDArray[np.uint8]]) -> None:
        self._folder = folder
        self._n = n
        self._read = read
        self._open: dict[int, tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]] = {}

    @property
    def n_shards(self) -> int:
        return -(-self._n // SHARD)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        shard, k = divmod(index, SHARD)
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
            advance((self.n_shards - len(missing)) * SHARD)
            busy = []
            for shard in missing:
                try:
                    self._build(shard, timeout=0)
                    advance(min(SHARD, self._n - shard * SHARD))
                except Timeout:  # another process has it; come back when the rest is done
                    busy.append(shard)
            for shard in busy:
                self._build(shard)
                advance(min(SHARD, self._n - shard * SHARD))

    def _path(self, shard: int) -> Path:
        return self._folder / f"{shard:05d}.npy"

    def _load(self, shard: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]] | None:
        """The shard, if it is there and whole."""
        try:
            shapes = np.load(self._path(shard).with_suffix(".shapes.npy"), allow_pickle=False)
            pixels = np.load(self._path(shard), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            return None
        n = min(SHARD, self._n - shard * SHARD)
        if shapes.shape != (n, 2) or shapes.dtype != np.int32 or pixels.dtype != np.uint8:
            return None
        starts = np.concatenate([[0], np.cumsum(shapes.astype(np.int64).prod(1) * 3)])
        return (starts, shapes, pixels) if pixels.shape == (starts[-1],) else None

    def _build(self, shard: int, timeout: float = -1) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path(shard).with_suffix(".lock"), timeout=timeout):
            done = self._load(shard)
            if done is not None:
                return done
            indices = range(shard * SHARD, min((shard + 1) * SHARD, self._n))
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # Pillow decodes outside the GIL
                images = list(pool.map(self._read, indices))
            shapes = np.array([image.shape[:2] for image in images], np.int32)
            for path, array in (
                (self._path(shard).with_suffix(".shapes.npy"), shapes),
                (self._path(shard), np.concatenate([image.ravel() for image in images])),
            ):
                with replacing(path) as temporary, temporary.open("wb") as file:
                    np.save(file, array, allow_pickle=False)
            done = self._load(shard)
            assert done is not None
            return done
