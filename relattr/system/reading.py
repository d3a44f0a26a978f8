"""Reading of files that may be anything: only regular files of a sensible size are opened.

A named pipe would block, ``/dev/zero`` has no end, and a file of a terabyte does not fit into memory. Every function
raises OSError with the file's name for them, as for a file that is missing or not readable.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

MAX_SETTINGS = 16 * 1024**2
"""Bytes of a file of settings, of source code, or of a small file in the cache."""
MAX_RESULT = 64 * 1024**2
"""Bytes of the JSON file of a result."""
MAX_IMAGE = 1024**3
"""Bytes of an image file."""
MAX_TEXT = 1024**3
"""Bytes of a text file with labels, scores or names."""
MAX_TABLE = 8 * 1024**3
"""Bytes of a file of arrays."""
MAX_FILE = 64 * 1024**3
"""Bytes of any file, such as weights."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def require_regular(path: Path, max_bytes: int = MAX_FILE) -> os.stat_result:
    """Return the status of a regular file of at most ``max_bytes`` bytes.

    Raises OSError, which names the file, for anything else: a missing file, a folder, a named pipe, a device, a file
    that is too large, or a path that cannot be the name of a file.
    """
    try:
        status = os.stat(path)
    except ValueError as error:  # a null byte, or characters that the file system cannot encode
        raise OSError(errno.EINVAL, "is not a valid file name", os.fspath(path)) from error
    _check(status, path, max_bytes)
    return status


def open_regular(path: Path, max_bytes: int = MAX_FILE) -> BufferedReader:
    """Open a regular file of at most ``max_bytes`` bytes for reading, without waiting. Raises as `require_regular`."""
    require_regular(path, max_bytes)  # before it is opened: opening a device can have effects
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    try:
        _check(os.fstat(handle), path, max_bytes)  # again: the path may be another file now
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: Path, max_bytes: int = MAX_SETTINGS) -> bytes:
    """Read a regular file of at most ``max_bytes`` bytes. Raises as `require_regular`."""
    with open_regular(path, max_bytes) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1)  # `read` reserves as much memory as it is asked for
        if len(content) > size:
            content += file.read(max_bytes + 1 - len(content))
    if len(content) > max_bytes:  # it has grown
        raise _too_large(path, len(content), max_bytes)
    return content


def read_text(path: Path, max_bytes: int = MAX_SETTINGS, errors: str = "strict") -> str:
    """Read a regular file of UTF-8 text, with any line ends. Raises as `require_regular`, and UnicodeDecodeError."""
    text = read_bytes(path, max_bytes).decode("utf-8", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, max_bytes: int = MAX_SETTINGS) -> Any:
    """Read a JSON file. Raises as `require_regular`, and ValueError for text that is not JSON or nested too deeply."""
    import json

    try:
        return json.loads(read_bytes(path, max_bytes))
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _check(status: os.stat_result, path: Path, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder; expected a file", os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
        raise OSError(errno.EINVAL, f"is {kind}; expected a regular file", os.fspath(path))
    if status.st_size > max_bytes:
        raise _too_large(path, status.st_size, max_bytes)


def _too_large(path: Path, size: int, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"has {size:,} bytes; at most {max_bytes:,} are read", os.fspath(path))
