"""Files that are either whole or not there: written beside their place, then renamed into it."""

from __future__ import annotations

import glob
import os
import tempfile
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIX = ".tmp"


@contextmanager
def atomic_replace(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder; renamed to ``path`` if the block ends well, else removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_UMASK)
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of their attempts to write ``path``; only for who holds its lock."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_SUFFIX}"):
        left.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, atomically."""
    with atomic_replace(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, atomically."""
    with atomic_replace(path) as temporary:
        temporary.write_bytes(content)


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write NumPy arrays as a compressed ``.npz``, atomically; read it with ``allow_pickle=False``."""
    import numpy as np

    with atomic_replace(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one NumPy array as ``.npy``, atomically; read it with `read_array`."""
    import numpy as np

    with atomic_replace(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, mmap_mode: Literal["r", "r+"] | None = None) -> NDArray[Any] | None:
    """The array in a ``.npy`` file; None if the file is not there or not whole."""
    import numpy as np

    try:
        if mmap_mode is not None:
            mapped = np.lib.format.open_memmap(path, mode="r")  # "r+" would fill up a truncated file with zeros
            return mapped if mmap_mode == "r" else np.lib.format.open_memmap(path, mode=mmap_mode)
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError):
        return None


# mkstemp makes files that only their owner can read; what is kept gets the user's usual permissions
_UMASK = os.umask(0)
os.umask(_UMASK)
