"""On-disk cache of features: each is computed once per image and shared by all cells of a benchmark.

The features of one image collection are stored in ``rows.npy`` (n_collection, d) float32, a sparse memory-mapped
file; ``filled.npy`` marks the rows that are complete. A row is marked only after it has been written, under a lock:
a killed process loses at most one chunk, and no two processes compute the same row.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.images import Images
from relattr.progress import track
from relattr.system.atomic import atomic_replace, read_array, remove_leftovers, write_array, write_text
from relattr.system.digests import digest_text
from relattr.system.paths import cache_dir

CHUNK = 256
"""Rows computed between two writes."""

_RowsAndMask = tuple["np.memmap[Any, np.dtype[np.float32]]", "np.memmap[Any, np.dtype[np.uint8]]"]


def cached_rows(
    images: Images, key: str, compute: Callable[[Images], NDArray[np.float32]], *, what: str
) -> NDArray[np.float32]:
    """Return the features ``(n, d)`` float32 of these images, computing those that are not cached.

    ``key`` identifies everything but the images that the values depend on. ``compute`` returns the features of some
    images; each row must depend on its own image only. ``what`` names the feature in progress bars and errors.

    Raises `BadInput` for no images, or if ``compute`` returns another shape or a value that is not finite.
    """
    if not len(images):
        raise BadInput(f"no images were given to compute {what} of; expected at least one")
    folder = cache_dir() / "features" / digest_text(images.collection_fingerprint, key)[:40]
    cached = _open(folder, images.n_collection)
    # the lock is not taken if all rows are cached: a reader does not wait for a process that computes other rows
    if cached is None or not cached[1][images.indices].all():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            cached = _fill(folder, images, key, compute, what)
    return np.array(cached[0][images.indices])


def cached_array(key: str, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return ``compute()``, cached on disk under ``key``: for arrays learned from many images, such as a dictionary."""
    path = cache_dir() / "learned" / f"{digest_text(key)[:40]}.npy"
    array = read_array(path)
    if array is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            array = read_array(path)
            if array is None:
                remove_leftovers(path)
                array = compute()
                write_array(path, array)
    return array


def _fill(
    folder: Path, images: Images, key: str, compute: Callable[[Images], NDArray[np.float32]], what: str
) -> _RowsAndMask:
    """Compute the missing rows, chunk by chunk; the caller holds the lock."""
    cached = _open(folder, images.n_collection)
    wanted, first = np.unique(images.indices, return_index=True)
    missing = first if cached is None else first[cached[1][wanted] == 0]
    with track(what, int(missing.size)) as advance:
        for start in range(0, missing.size, CHUNK):
            part = images.subset(missing[start : start + CHUNK])
            features = _validate(compute(part), part, what)
            if cached is None:
                cached = _create(folder, images.n_collection, features.shape[1], key)
            rows, filled = cached
            if features.shape[1] != rows.shape[1]:
                raise BadInput(
                    f"{what} returned {features.shape[1]} features per image, but {rows.shape[1]} for other images"
                )
            rows[part.indices] = features
            rows.flush()
            filled[part.indices] = 1  # after the rows have been written
            filled.flush()
            advance(len(part))
    assert cached is not None
    return cached


def _validate(features: NDArray[np.float32], part: Images, what: str) -> NDArray[np.float32]:
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or features.shape[0] != len(part) or not features.shape[1]:
        raise BadInput(f"{what} returned shape {features.shape} for {len(part)} images; expected ({len(part)}, d)")
    invalid = np.flatnonzero(~np.isfinite(features).all(1))
    if invalid.size:
        raise BadInput(f"{what} returned NaN or infinity for image {part.names[invalid[0]]}")
    return features


def _open(folder: Path, n: int) -> _RowsAndMask | None:
    """Map the arrays on disk; None if they are missing or damaged, in which case everything is recomputed."""
    rows = read_array(folder / "rows.npy", "r+")
    filled = read_array(folder / "filled.npy", "r+")
    if not isinstance(rows, np.memmap) or not isinstance(filled, np.memmap):
        return None
    valid = rows.ndim == 2 and rows.shape[0] == n and filled.shape == (n,)
    return (rows, filled) if valid and rows.dtype == np.float32 and filled.dtype == np.uint8 else None


def _create(folder: Path, n: int, d: int, key: str) -> _RowsAndMask:
    needed = 4 * n * d
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadInput(
            f"{n} x {d} features need {needed:,} bytes, but {folder} has {free:,} free; free some space or set another "
            "cache folder"
        )
    write_text(folder / "key.txt", key + "\n")
    (folder / "filled.npy").unlink(missing_ok=True)  # first: an old mask must not mark rows of the new file
    for name, shape, dtype in (("rows.npy", (n, d), np.float32), ("filled.npy", (n,), np.uint8)):
        remove_leftovers(folder / name)
        with atomic_replace(folder / name) as temporary:
            np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape).flush()
    cached = _open(folder, n)
    assert cached is not None
    return cached
