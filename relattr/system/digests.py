"""SHA-256 digests of files, texts and arrays.

Digests of sets of files are cached by path, size, and the times of the last changes, so that a plan need not hash
gigabytes. They depend on names and contents only, so the same data has the same fingerprint on every machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.system.cached import read_cached, write_cached
from relattr.system.paths import cache_dir
from relattr.system.reading import MAX_FILE, open_regular, require_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_AGE = 2.0
"""Seconds; a younger file could be written again within the resolution of its timestamps, without being noticed."""


def digest_file(path: Path, max_bytes: int = MAX_FILE) -> str:
    """SHA-256 of the contents of a file. Raises `BadInput` if it cannot be read, or has more than ``max_bytes``."""
    try:
        with open_regular(path, max_bytes) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error


def digest_file_cached(path: Path, max_bytes: int = MAX_FILE) -> str:
    """`digest_file`, cached until the size, modification time or status change time of the file changes."""
    try:
        real = path.resolve(strict=True)
        stat = require_regular(real, max_bytes)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise BadInput(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    except ValueError as error:
        raise BadInput(f"cannot read {path}: is not a valid file name") from error
    times = stat.st_mtime_ns, stat.st_ctime_ns
    signature = digest_text(str(real), str(stat.st_size), *map(str, times))
    cached = cache_dir() / "digests" / f"file-{signature}.json"
    stored = read_cached(cached)
    if stored is not None:
        return str(json.loads(stored)["sha256"])
    digest = digest_file(real, max_bytes)
    if time.time_ns() - max(times) > _MIN_AGE * 1e9:
        write_cached(cached, json.dumps({"path": str(real), "sha256": digest}).encode(errors="surrogatepass"))
    return digest


def digest_text(*parts: str) -> str:
    """SHA-256 of a sequence of strings; ``'ab'`` and ``'a', 'b'`` differ."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode(errors="surrogatepass")  # a file name may not be UTF-8
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def digest_array(array: NDArray[Any]) -> str:
    """SHA-256 of the type, shape and values of an array."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()


def digest_files(root: Path, names: Sequence[str], max_bytes: int = MAX_FILE) -> str:
    """SHA-256 of the names and contents of these files below ``root``, in this order.

    Cached until the size, modification time or status change time of a file changes. Raises `BadInput` if a file
    cannot be read, is not a regular file, or has more than ``max_bytes`` bytes.
    """
    signature = hashlib.sha256(os.fsencode(root.absolute()))
    newest = 0
    folder = os.fspath(root)
    for name in names:
        try:
            stat = os.stat(f"{folder}/{name}")  # creating a Path takes three times as long as `stat`
            if not S_ISREG(stat.st_mode) or stat.st_size > max_bytes:
                require_regular(root / name, max_bytes)
        except ValueError as error:
            raise BadInput(f"cannot read {root / name}: is not a valid file name") from error
        except OSError as error:
            raise BadInput(f"cannot read {root / name}: {error.strerror}") from error
        # the ctime also changes when a program sets the mtime, as rsync and `touch -r` do
        signature.update(
            f"\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}".encode(errors="surrogatepass")
        )
        newest = max(newest, stat.st_mtime_ns, stat.st_ctime_ns)
    cached = cache_dir() / "digests" / f"{signature.hexdigest()}.json"
    stored = read_cached(cached)
    if stored is not None:
        return str(json.loads(stored)["sha256"])
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        digests = pool.map(lambda name: digest_file(root / name, max_bytes), names)
        digest = digest_text(*(part for pair in zip(names, digests, strict=True) for part in pair))
    if time.time_ns() - newest > _MIN_AGE * 1e9:
        write_cached(cached, json.dumps({"root": str(root), "files": len(names), "sha256": digest}).encode())
    return digest
