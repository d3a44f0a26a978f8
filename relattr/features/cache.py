"""Features computed once per image and kept on disk, whichever cells ask for which images.

The rows of one feature for one image collection lie in ``rows.npy`` (n_collection, d) float32, a sparse
memory-mapped file, and ``filled.npy`` says which of them are there. A row is marked after it has
reached the file, under a lock: a killed process loses one chunk, and two never compute the same row.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from relattr.atomic import replacing, write_text
from relattr.digests import digest_text
from relattr.errors import BadInput
from relattr.images import Images
from relattr.paths import cache_dir
from relattr.progress import track

CHUNK = 256


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
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        rows, filled = _open(folder, images.n_collection)
        wanted = np.unique(images.indices, return_index=True)
        missing = wanted[1][[True] * wanted[0].size if filled is None else filled[wanted[0]] == 0]
        if missing.size:
            with track(what, int(missing.size)) as advance:
                for start in range(0, missing.size, CHUNK):
                    part = images.subset(missing[start : start + CHUNK])
                    found = _checked(compute(part), part, what)
                    if rows is None or filled is None:
                        rows, filled = _create(folder, images.n_collection, found.shape[1], key)
                    rows[part.indices] = found
                    rows.flush()  # type: ignore[attr-defined]
                    filled[part.indices] = 1
                    filled.flush()  # type: ignore[attr-defined]
                    advance(len(part))
        assert rows is not None
        return np.array(rows[images.indices])


def cached_array(key: str, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """What ``compute`` gives, kept on disk under ``key``: for what is learned of many images, such as a dictionary."""
    path = cache_dir() / "learned" / f"{digest_text(key)[:40]}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (OSError, ValueError):
            made = compute()
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, made, allow_pickle=False)
            return made


def _checked(found: NDArray[np.float32], part: Images, what: str) -> NDArray[np.float32]:
    found = np.asarray(found, dtype=np.float32)
    if found.ndim != 2 or found.shape[0] != len(part):
        raise BadInput(f"{what} gave shape {found.shape} for {len(part)} images; expected ({len(part)}, d)")
    bad = np.flatnonzero(~np.isfinite(found).all(1))
    if bad.size:
        raise BadInput(f"{what} gave NaN or infinity for image {part.names[bad[0]]}")
    return found


def _open(folder: Path, n: int) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8] | None]:
    """The arrays as they are on disk; what is not whole is thrown away, it can be computed again."""
    try:
        rows = np.load(folder / "rows.npy", mmap_mode="r+", allow_pickle=False)
        filled = np.load(folder / "filled.npy", mmap_mode="r+", allow_pickle=False)
        if rows.ndim == 2 and rows.shape[0] == n and filled.shape == (n,):
            return rows, filled
    except (OSError, ValueError):
        pass
    for name in ("filled.npy", "rows.npy"):
        (folder / name).unlink(missing_ok=True)
    return None, None


def _create(folder: Path, n: int, d: int, key: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    needed = 4 * n * d
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadInput(f"{n} feature rows of {d} numbers need {needed:,} bytes, but {folder} has {free:,} free")
    write_text(folder / "key.txt", key + "\n")
    for name, shape, dtype in (("rows.npy", (n, d), np.float32), ("filled.npy", (n,), np.uint8)):
        with replacing(folder / name) as temporary:
            made = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
            made.flush()
            del made
    rows, filled = _open(folder, n)
    assert rows is not None
    assert filled is not None
    return rows, filled
