"""Features computed once per image and kept on disk, whichever cells ask for which images.

The rows of one feature for one image collection lie in ``rows.npy`` (n_collection, d) float32, a sparse
memory-mapped file, and ``filled.npy`` says which of them are there. A row is marked after it has
reached the file, under a lock: a killed process loses one chunk, and two never compute the same row.
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
from relattr.system.atomic import read_array, replacing, sweep, write_array, write_text
from relattr.system.digests import digest_text
from relattr.system.paths import cache_dir

CHUNK = 256
"""Rows computed between two writes."""

_Kept = tuple["np.memmap[Any, np.dtype[np.float32]]", "np.memmap[Any, np.dtype[np.uint8]]"]


def cached_rows(
    images: Images, key: str, compute: Callable[[Images], NDArray[np.float32]], *, what: str
) -> NDArray[np.float32]:
    """The feature rows ``(n, d)`` float32 of these images, computed where they are not there yet.

    ``key`` names everything but the images that decides the numbers; ``compute`` gives the rows of
    some images, each row depending on its own image only; ``what`` is for the progress bar. Raises
    `BadInput` if ``compute`` gives another shape or a number that is not finite.
    """
    if not len(images):
        raise BadInput("features of no images were asked for")
    folder = cache_dir() / "features" / digest_text(images.collection_fingerprint, key)[:40]
    kept = _open(folder, images.n_collection)
    if kept is None or not kept[1][images.indices].all():  # else nobody has to wait for who computes other rows
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            kept = _fill(folder, images, key, compute, what)
    return np.array(kept[0][images.indices])


def cached_array(key: str, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """What ``compute`` gives, kept on disk under ``key``: for what is learned of many images, such as a dictionary."""
    path = cache_dir() / "learned" / f"{digest_text(key)[:40]}.npy"
    found = read_array(path)
    if found is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            found = read_array(path)
            if found is None:
                sweep(path)
                found = compute()
                write_array(path, found)
    return found


def _fill(folder: Path, images: Images, key: str, compute: Callable[[Images], NDArray[np.float32]], what: str) -> _Kept:
    """Compute the rows that are not there yet, chunk by chunk; the caller holds the lock."""
    kept = _open(folder, images.n_collection)
    wanted, first = np.unique(images.indices, return_index=True)
    missing = first if kept is None else first[kept[1][wanted] == 0]
    with track(what, int(missing.size)) as advance:
        for start in range(0, missing.size, CHUNK):
            part = images.subset(missing[start : start + CHUNK])
            found = _checked(compute(part), part, what)
            if kept is None:
                kept = _create(folder, images.n_collection, found.shape[1], key)
            rows, filled = kept
            if found.shape[1] != rows.shape[1]:
                raise BadInput(f"{what} gave {found.shape[1]} numbers an image, and {rows.shape[1]} for other images")
            rows[part.indices] = found
            rows.flush()
            filled[part.indices] = 1  # only now that the rows have reached the file
            filled.flush()
            advance(len(part))
    assert kept is not None
    return kept


def _checked(found: NDArray[np.float32], part: Images, what: str) -> NDArray[np.float32]:
    found = np.asarray(found, dtype=np.float32)
    if found.ndim != 2 or found.shape[0] != len(part) or not found.shape[1]:
        raise BadInput(f"{what} gave shape {found.shape} for {len(part)} images; expected ({len(part)}, d)")
    bad = np.flatnonzero(~np.isfinite(found).all(1))
    if bad.size:
        raise BadInput(f"{what} gave NaN or infinity for image {part.names[bad[0]]}")
    return found


def _open(folder: Path, n: int) -> _Kept | None:
    """The arrays as they are on disk; None where they are not there or not whole, so that all is computed again."""
    rows = read_array(folder / "rows.npy", "r+")
    filled = read_array(folder / "filled.npy", "r+")
    if not isinstance(rows, np.memmap) or not isinstance(filled, np.memmap):
        return None
    whole = rows.ndim == 2 and rows.shape[0] == n and filled.shape == (n,)
    return (rows, filled) if whole and rows.dtype == np.float32 and filled.dtype == np.uint8 else None


def _create(folder: Path, n: int, d: int, key: str) -> _Kept:
    needed = 4 * n * d
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadInput(f"{n} feature rows of {d} numbers need {needed:,} bytes, but {folder} has {free:,} free")
    write_text(folder / "key.txt", key + "\n")
    (folder / "filled.npy").unlink(missing_ok=True)  # first, lest it speak for the rows to come
    for name, shape, dtype in (("rows.npy", (n, d), np.float32), ("filled.npy", (n,), np.uint8)):
        sweep(folder / name)
        with replacing(folder / name) as temporary:
            np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape).flush()
    kept = _open(folder, n)
    assert kept is not None
    return kept
