"""Atomic writing of files: written to a temporary file in the same folder, which is then renamed."""

from __future__ import annotations

import hashlib
import io
import os
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from relattr.errors import BadInput
from relattr.system.reading import MAX_TABLE, read_bytes, require_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIX = ".tmp"
_MAX_FOLDERS = 100
"""How often a missing folder is made for one file: another process may remove it each time."""


@contextmanager
def atomic_replace(path: Path) -> Iterator[Path]:
    """Provide a temporary path in the same folder; it is renamed to ``path`` unless the block raises an exception."""
    handle, temporary = _create_temporary(path)
    os.close(handle)
    try:
        with _errors_about(path, temporary):
            yield Path(temporary)
            with open(temporary, "r+b", buffering=0) as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        _remove(temporary)


def _create_temporary(path: Path) -> tuple[int, str]:
    """Create an empty file beside ``path``, and the folder if necessary; return its descriptor and its path."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    n_made = 0
    while True:
        temporary = os.path.join(path.parent, f".{path.name}.{os.urandom(4).hex()}{_SUFFIX}")
        with _errors_about(path, temporary):
            try:
                return os.open(temporary, flags, 0o666), temporary
            except FileNotFoundError:
                if n_made == _MAX_FOLDERS:  # the folder is there and takes no file, as /proc
                    raise
                path.parent.mkdir(parents=True, exist_ok=True)
                n_made += 1
            except FileExistsError:
                continue


@contextmanager
def _errors_about(path: Path, temporary: str) -> Iterator[None]:
    """Within the block, an OSError that names the temporary file, or no file, as for a full disk, names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _close(file: IO[bytes]) -> None:
    """Close a file; what it could not write has been reported before, with its path, and would be reported again."""
    with suppress(OSError):
        file.close()


def _remove(temporary: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(temporary)


def require_writable(path: Path) -> None:
    """Raise `BadInput`, which names the path, unless a file can be written there; leave nothing behind.

    For work that takes long and writes its file at the end. The folder is made if it is missing, as for the file
    itself, and removed again.
    """
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; expected a file")
        missing = [folder for folder in path.parents if not folder.exists()]  # the innermost first
        try:
            handle, temporary = _create_temporary(path)
            os.close(handle)
            _remove(temporary)
        finally:
            for folder in missing:
                with suppress(OSError):  # it was not made, or another process has put a file into it
                    folder.rmdir()
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f"{os.fsdecode(error.filename)}: "
        raise BadInput(f"{path} cannot be written: {where}{error.strerror}; choose another file") from error


def remove_leftovers(*paths: Path) -> None:
    """Remove temporary files of `atomic_replace` that killed processes left behind.

    ``paths`` are in one folder. Requires the lock on each of them.
    """
    folder = paths[0].parent
    prefixes = tuple(f".{path.name}." for path in paths)
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name.startswith(prefixes) and name.endswith(_SUFFIX):
                _remove(os.path.join(folder, name))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with atomic_replace(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, atomically."""
    with atomic_replace(path) as temporary:
        temporary.write_bytes(content)


def write_together(contents: Sequence[tuple[Path, bytes]]) -> None:
    """Write several files atomically; they take their places one after another, in this order.

    All are written before the first is flushed to disk, which for most file systems is one wait and not one per file.
    """
    files = []
    with ExitStack() as stack:
        for path, content in contents:
            handle, temporary = _create_temporary(path)
            stack.callback(_remove, temporary)
            file = os.fdopen(handle, "wb")
            stack.callback(_close, file)
            with _errors_about(path, temporary):
                file.write(content)
                file.flush()
            files.append((path, temporary, file))
        for path, temporary, file in files:
            with _errors_about(path, temporary):
                os.fsync(file.fileno())
                file.close()
                os.replace(temporary, path)


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write NumPy arrays as a compressed ``.npz``, atomically; read it with ``allow_pickle=False``."""
    import numpy as np

    with atomic_replace(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one NumPy array as ``.npy``, followed by the SHA-256 of the file, atomically; read it with `read_array`."""
    import numpy as np

    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with atomic_replace(path) as temporary, temporary.open("wb") as file:
        file.write(content.getbuffer())
        file.write(hashlib.sha256(content.getbuffer()).digest())


def read_array(path: Path, mmap_mode: Literal["r", "r+"] | None = None) -> NDArray[Any] | None:
    """Read the array of a ``.npy`` file; None if the file is missing or damaged.

    The SHA-256 that `write_array` adds is compared, unless the file is mapped: then the caller must verify the parts
    that it reads.
    """
    import numpy as np

    try:
        if mmap_mode is not None:
            require_regular(path)
            array = np.lib.format.open_memmap(
                path, mode="r"
            )  # opened with "r" first: "r+" would extend a truncated file with zeros
            return array if mmap_mode == "r" else np.lib.format.open_memmap(path, mode=mmap_mode)
        content = memoryview(read_bytes(path, MAX_TABLE))
        if hashlib.sha256(content[:-_DIGEST_SIZE]).digest() != content[-_DIGEST_SIZE:]:
            return None
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError):
        return None


_DIGEST_SIZE = 32
