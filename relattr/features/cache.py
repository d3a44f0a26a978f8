"""On-disk cache of features: each is computed once per image and shared by all cells of a benchmark.

The features of one image collection are stored in ``rows.npy`` (n_collection, d) float32, a sparse file;
``checksums.npy`` (n_collection,) has a checksum of each row that is complete. It is written only after the row, under
a lock: a killed process loses at most one chunk, and no two processes compute the same row.

Every row that is read is compared with its checksum, the CRC-32 of the image's index and the row, and a damaged row is
computed again. Where the folder cannot be written, features are computed every time.
"""

from __future__ import annotations

import errno
import os
import shutil
import warnings
import zlib
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

_COMPLETE = 1 << 32
"""Added to the CRC-32 of a row, so that no checksum is 0, which marks a row that is not complete."""

_Rows = tuple["np.memmap[Any, np.dtype[np.float32]]", "np.memmap[Any, np.dtype[np.uint64]]"]
_Compute = Callable[[Images], NDArray[np.float32]]


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
    try:
        return _stored_rows(folder, images, key, compute, what)
    except OSError as error:
        _warn_not_stored(what, folder, error)
        return _validate(compute(images), images, what)


def _stored_rows(folder: Path, images: Images, key: str, compute: _Compute, what: str) -> NDArray[np.float32]:
    # the lock is not taken if all rows are cached: a reader does not wait for a process that computes other rows
    values = _read_rows(folder, images)
    if values is None:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            _fill(folder, images, key, compute, what)
            values = _read_rows(folder, images)
    if values is None:
        raise OSError(errno.EIO, "differs from what was written to it", str(folder / "rows.npy"))
    return values


def _warn_not_stored(what: str, path: Path, error: OSError) -> None:
    warnings.warn(
        f"{what} cannot be stored: {error.filename or path}: {error.strerror or error}; it is computed every time. "
        "Free some space, or set RELATTR_CACHE to a folder that can be written",
        stacklevel=4,
    )


def cached_array(key: str, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return ``compute()``, cached on disk under ``key``: for arrays learned from many images, such as a dictionary."""
    path = cache_dir() / "learned" / f"{digest_text(key)[:40]}.npy"
    array = read_array(path)
    if array is not None:
        return array
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            array = read_array(path)
            if array is None:
                if path.exists():
                    warnings.warn(f"{path} is damaged or of an older version; it is computed again", stacklevel=3)
                remove_leftovers(path)
                array = compute()
                write_array(path, array)
    except OSError as error:
        _warn_not_stored("an array learned from images", path, error)
        array = compute() if array is None else array
    return array


def _fill(folder: Path, images: Images, key: str, compute: _Compute, what: str) -> None:
    """Compute the missing rows, chunk by chunk; the caller holds the lock."""
    cached = _open(folder, images.n_collection)
    wanted, first = np.unique(images.indices, return_index=True)
    if cached is None:
        missing = first
    else:
        valid = _are_valid(cached, wanted)
        n_damaged = int((~valid & (cached[1][wanted] != 0)).sum())
        if n_damaged:
            warnings.warn(f"{folder / 'rows.npy'}: {n_damaged} rows are damaged; they are computed again", stacklevel=5)
        missing = first[~valid]
    width = None if cached is None else cached[0].shape[1]
    del cached  # not mapped while it is written
    with track(what, int(missing.size)) as advance:
        for start in range(0, missing.size, CHUNK):
            part = images.subset(missing[start : start + CHUNK])
            features = _validate(compute(part), part, what)
            if width is None:
                width = features.shape[1]
                _create(folder, images.n_collection, width, key)
            if features.shape[1] != width:
                raise BadInput(f"{what} returned {features.shape[1]} features per image, but {width} for other images")
            checksums = [_checksum(int(k), row) for k, row in zip(part.indices, features, strict=True)]
            _write_rows(folder / "rows.npy", part.indices, features)
            _write_rows(folder / "checksums.npy", part.indices, np.array(checksums, np.uint64))  # after the rows
            advance(len(part))


def _checksum(index: int, row: NDArray[np.float32]) -> int:
    return _COMPLETE + zlib.crc32(np.ascontiguousarray(row).data, index)


def _are_valid(cached: _Rows, indices: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which of these rows are complete and have their checksum."""
    rows, checksums = cached
    stored = np.array(checksums[indices])
    valid = stored != 0
    for k in np.flatnonzero(valid).tolist():
        valid[k] = stored[k] == _checksum(int(indices[k]), rows[indices[k]])
    return valid


def _read_rows(folder: Path, images: Images) -> NDArray[np.float32] | None:
    """The rows of these images; None unless all are complete and have their checksum."""
    cached = _open(folder, images.n_collection)
    if cached is None or not cached[1][images.indices].all():
        return None
    values = np.array(cached[0][images.indices])
    stored = np.array(cached[1][images.indices]).tolist()
    for index, row, checksum in zip(images.indices.tolist(), values, stored, strict=True):
        if checksum != _checksum(index, row):
            return None
    return values


def _write_rows(path: Path, indices: NDArray[np.integer[Any]], values: NDArray[Any]) -> None:
    """Write rows of an array on disk, ``values[k]`` at ``indices[k]``.

    Unlike writing through a map, which ends the process, it raises OSError if the disk is full.
    """
    try:
        with path.open("r+b") as file:
            version = np.lib.format.read_magic(file)
            (np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
            start = file.tell()
            for k, row in zip(indices.tolist(), np.ascontiguousarray(values), strict=True):
                file.seek(start + k * row.nbytes)
                file.write(row.tobytes())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _validate(features: NDArray[np.float32], part: Images, what: str) -> NDArray[np.float32]:
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or features.shape[0] != len(part) or not features.shape[1]:
        raise BadInput(f"{what} returned shape {features.shape} for {len(part)} images; expected ({len(part)}, d)")
    invalid = np.flatnonzero(~np.isfinite(features).all(1))
    if invalid.size:
        raise BadInput(f"{what} returned NaN or infinity for image {part.names[invalid[0]]}")
    return features


def _open(folder: Path, n: int) -> _Rows | None:
    """Map the arrays on disk; None if they are missing or damaged, in which case everything is recomputed."""
    rows = read_array(folder / "rows.npy", "r")
    checksums = read_array(folder / "checksums.npy", "r")
    if not isinstance(rows, np.memmap) or not isinstance(checksums, np.memmap):
        return None
    valid = rows.ndim == 2 and rows.shape[0] == n and checksums.shape == (n,)
    return (rows, checksums) if valid and rows.dtype == np.float32 and checksums.dtype == np.uint64 else None


def _create(folder: Path, n: int, d: int, key: str) -> None:
    needed = 4 * n * d
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadInput(
            f"{n} x {d} features need {needed:,} bytes, but {folder} has {free:,} free; free some space or set another "
            "cache folder"
        )
    write_text(folder / "key.txt", key + "\n")
    (folder / "checksums.npy").unlink(missing_ok=True)  # first: old checksums must not mark rows of the new file
    for name, shape, dtype in (("rows.npy", (n, d), np.float32), ("checksums.npy", (n,), np.uint64)):
        remove_leftovers(folder / name)
        with atomic_replace(folder / name) as temporary:
            np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape).flush()
