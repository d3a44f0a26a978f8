"""Reading of ``.npz`` files that may be damaged, hostile or no such files at all.

A file is opened only if it is a regular file, its arrays may have `MAX_ARRAYS` bytes together, and pickled objects are
refused. The zip format stores a CRC-32 of each array, which is checked when the array is read.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import shortened
from relattr.system.archive import ZIP_DAMAGE
from relattr.system.reading import MAX_TABLE, open_regular
from relattr.system.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SMALL = 1 << 20
_MAGIC = b"\x93NUMPY\x01\x00"
MAX_ARRAYS = 16 * 1024**3
"""Bytes of all arrays of a file together, uncompressed."""
MAX_REASON = 200
"""Characters of a reason why a file cannot be read, which may quote the file."""

_DAMAGE = (*ZIP_DAMAGE, SyntaxError, tokenize.TokenError, TypeError)
"""The exceptions that reading a damaged file raises; the last three are of the header of an array."""


def array_names(source: Path | bytes) -> tuple[str, ...]:
    """Return the names of the arrays. Raises as `read_npz`."""
    return _read(source, ())[0]


def read_npz(
    source: Path | bytes, names: Iterable[str] | None = None, max_bytes: int | None = None
) -> dict[str, NDArray[Any]]:
    """Read all arrays of an ``.npz`` file, or those with these names, without pickle.

    ``source`` is a path or the content of a file. Raises OSError for a file that cannot be read, ValueError, with a
    message of one line, for one that is damaged, no ``.npz`` file or whose arrays have more than `MAX_ARRAYS` bytes, or
    those that are read more than ``max_bytes``, and KeyError for a name that it does not have.
    """
    return _read(source, names, max_bytes)[1]


def _read(
    source: Path | bytes, wanted: Iterable[str] | None, max_bytes: int | None = None
) -> tuple[tuple[str, ...], dict[str, NDArray[Any]]]:
    with open_regular(source, MAX_TABLE) if isinstance(source, Path) else io.BytesIO(source) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
                selected = [*(members if wanted is None else wanted)]
                _require_size(members, members, MAX_ARRAYS)
                if max_bytes is not None:
                    _require_size(members, selected, max_bytes)
                return tuple(members), {name: _read_member(archive, members[name]) for name in selected}
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ValueError(one_line(shortened(f"{type(error).__name__}: {error}", MAX_REASON))) from error


def _require_size(members: Mapping[str, zipfile.ZipInfo], names: Iterable[str], max_bytes: int) -> None:
    """Raise ValueError if these arrays would have more bytes."""
    size = sum(members[name].file_size for name in names)
    if size > max_bytes:
        raise ValueError(f"its arrays have {size:,} bytes; at most {max_bytes:,} are read")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    import numpy as np

    if member.file_size <= _SMALL:
        decoded = _decode_array(archive.read(member))  # reading to the end also checks the CRC-32
        if decoded is not None:
            return decoded
    with archive.open(member) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # reading to the end also checks the CRC-32
            raise ValueError(f"{member.filename} has more bytes than its array")
    return array


def _decode_array(content: bytes) -> NDArray[Any] | None:
    """The array in the content of a small ``.npy`` file; None if it is not of the simple kind that relattr writes."""
    import numpy as np

    if not content.startswith(_MAGIC):
        return None
    start = len(_MAGIC) + 2 + int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "little")
    shape, fortran_order, dtype = _parse_header(content[len(_MAGIC) : start])
    if dtype.hasobject or not dtype.itemsize or len(content) - start != math.prod(shape) * dtype.itemsize:
        return None
    array = np.frombuffer(content, dtype, offset=start).copy()
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


@lru_cache(maxsize=1000)
def _parse_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; results on the same test set have the same header."""
    import numpy as np

    return np.lib.format.read_array_header_1_0(io.BytesIO(header))
