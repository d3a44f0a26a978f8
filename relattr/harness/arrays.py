"""The strengths or margins of a cell as bytes, for pipes, clusters and the store."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

BROKEN = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or foreign ``.npz`` may raise."""
SMALL = 1 << 16
"""Bytes below which compressing takes longer than it saves."""


def plain(name: str, value: Any) -> NDArray[Any]:
    """The value as an array that can be kept without pickle. Raises `BadInput`."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.hasobject:
        raise BadInput(f"{name} is {type(value).__name__} of {array.dtype}; expected an array of numbers or text")
    return array


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """NumPy arrays as the content of a compressed ``.npz`` file; nothing for no arrays."""
    if not arrays:
        return b""
    import numpy as np

    content = io.BytesIO()
    save = np.savez_compressed if sum(array.nbytes for array in arrays.values()) > SMALL else np.savez
    save(content, **dict(arrays))  # type: ignore[arg-type]
    return content.getvalue()


def unpack_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in such content, without pickle."""
    if not content:
        return {}
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
