"""Small files in the cache: JSON with a SHA-256 of the value and of the file's name.

A file that is missing, damaged, or not a regular file is computed again; one that cannot be written is not. The file
is ``{"sha256":"...","value":...}``, and the digest is of the bytes of the value as they are in the file.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from relattr.system.atomic import write_bytes
from relattr.system.reading import MAX_SETTINGS, read_bytes

_HEAD, _MIDDLE, _TAIL = b'{"sha256":"', b'","value":', b"}\n"
_START = len(_HEAD) + 64 + len(_MIDDLE)


def read_cached(path: Path, max_bytes: int = MAX_SETTINGS) -> bytes | None:
    """Return the JSON that `write_cached` wrote to this file; None if it is missing or damaged."""
    try:
        content = read_bytes(path, max_bytes)
    except OSError:
        return None
    value = content[_START : -len(_TAIL)]
    return value if content == _file_content(path, value) else None


def write_cached(path: Path, value: bytes) -> None:
    """Write JSON with its digest, atomically. Has no effect where the file cannot be written."""
    with contextlib.suppress(OSError):
        write_bytes(path, _file_content(path, value))


def _file_content(path: Path, value: bytes) -> bytes:
    digest = hashlib.sha256(path.name.encode(errors="surrogateescape") + b"\0" + value).hexdigest()
    return _HEAD + digest.encode() + _MIDDLE + value + _TAIL
