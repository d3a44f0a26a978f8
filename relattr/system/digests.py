"""SHA-256 of files, remembered by path, size and times of change so that no plan hashes gigabytes.

The digest of a set of files depends on their names and contents only, so the same data has the same
fingerprint on every machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.system.atomic import write_text
from relattr.system.paths import cache_dir

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SETTLED = 2.0
"""Seconds: a younger file could be written again within the same tick of the clock, unseen."""


def digest_file(path: Path) -> str:
    """SHA-256 of one file's contents. Raises `BadInput` if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()


def digest_text(*parts: str) -> str:
    """SHA-256 of some strings, their borders included."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def digest_array(array: NDArray[Any]) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()


def digest_files(root: Path, names: Sequence[str]) -> str:
    """SHA-256 over the names and contents of these files below ``root``, in this order.

    Remembered in the cache folder for as long as no file's size or times of change differ. Raises
    `BadInput` if one cannot be read.
    """
    signature = hashlib.sha256(str(root.absolute()).encode())
    newest = 0
    folder = os.fspath(root)
    for name in names:
        try:
            state = os.stat(f"{folder}/{name}")  # no Path: it takes three times as long as the look itself
        except OSError as error:
            raise BadInput(f"cannot read {root / name}: {error.strerror}") from error
        # the second time also changes when the first is set by hand, as rsync and `touch -r` do
        signature.update(f"\0{name}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}".encode())
        newest = max(newest, state.st_mtime_ns, state.st_ctime_ns)
    known = cache_dir() / "digests" / f"{signature.hexdigest()}.json"
    try:
        digest = json.loads(known.read_text())["sha256"]
        if isinstance(digest, str) and len(digest) == 64:
            return digest
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        digests = pool.map(lambda name: digest_file(root / name), names)
        digest = digest_text(*(part for pair in zip(names, digests, strict=True) for part in pair))
    if time.time_ns() - newest > _SETTLED * 1e9:
        write_text(known, json.dumps({"root": str(root), "files": len(names), "sha256": digest}))
    return digest
