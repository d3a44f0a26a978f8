"""The arrays of a cell: what the method returned for each test set, and its artifacts, as an ``.npz`` file.

The keys of the file are ``strengths <test set>``, ``margins <test set>``, ``boxes <test set>`` and
``exhibit <artifact>``. No other module uses them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.system.npz import array_names, read_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

NPZ_ERRORS = (OSError, KeyError, ValueError)
"""The exceptions that `relattr.system.npz.read_npz` may raise for a damaged or foreign ``.npz`` file."""
COMPRESS_ABOVE = 1 << 16
"""Size in bytes above which arrays are compressed; below it, compression takes longer than it saves."""


class CellArrays:
    """The arrays of a cell, by test set and by name.

    Parameters
    ----------
    strengths : strength of each image by test set, ``(n_images,)``; NaN for images that are in no pair.
    margins : margin of each pair by test set, ``(n_pairs,)``, for methods without strengths.
    boxes : where the method attends in each image by test set, ``(n_images, k, 4)``.
    artifacts : arrays for figures by name (`relattr.mixins.InspectionMixin.artifacts`).

    Setting an array that cannot be stored without pickle raises `BadInput`.
    """

    def __init__(
        self,
        *,
        strengths: Mapping[str, Any] | None = None,
        margins: Mapping[str, Any] | None = None,
        boxes: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Any] | None = None,
    ) -> None:
        self._bind({})
        groups = (self.strengths, strengths), (self.margins, margins), (self.boxes, boxes), (self.artifacts, artifacts)
        for group, values in groups:
            if values:
                group.update(values)

    def _bind(self, arrays: MutableMapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self.strengths = _ArrayGroup(arrays, "strengths")
        self.margins = _ArrayGroup(arrays, "margins")
        self.boxes = _ArrayGroup(arrays, "boxes")
        self.artifacts = _ArrayGroup(arrays, "artifacts", "exhibit")

    def __bool__(self) -> bool:
        return bool(self._arrays)

    def to_npz(self) -> bytes:
        """Return the content of an ``.npz`` file; empty if there are no arrays."""
        if not self._arrays:
            return b""
        import numpy as np

        content = io.BytesIO()
        size = sum(array.nbytes for array in self._arrays.values())
        save = np.savez_compressed if size > COMPRESS_ABOVE else np.savez
        save(content, **dict(self._arrays))  # type: ignore[arg-type]
        return content.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> CellArrays:
        """Read all arrays from the content of an ``.npz`` file, without pickle. Raises one of `NPZ_ERRORS`."""
        arrays = cls()
        if content:
            return cls.of_members(read_npz(content))
        return arrays

    @classmethod
    def of_members(cls, members: MutableMapping[str, NDArray[Any]]) -> CellArrays:
        """The arrays of an ``.npz`` file that has been read, by their keys in it."""
        arrays = cls()
        arrays._bind(members)
        return arrays

    def members(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by their keys in the ``.npz`` file."""
        return dict(self._arrays)

    @classmethod
    def open_npz(cls, path: Path) -> CellArrays:
        """Open an ``.npz`` file for reading; each array is read when it is accessed.

        Accessing an array of a missing, damaged or foreign file raises `BadInput`.
        """
        arrays = cls()
        arrays._bind(_NpzFile(path))
        return arrays


class _ArrayGroup(MutableMapping[str, "NDArray[Any]"]):
    """The arrays whose key starts with one prefix, by the rest of the key."""

    def __init__(self, arrays: MutableMapping[str, NDArray[Any]], group: str, prefix: str = "") -> None:
        self._arrays = arrays
        self._group = group
        self._prefix = f"{prefix or group} "

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[self._prefix + name]

    def __setitem__(self, name: str, value: Any) -> None:
        import numpy as np

        array = np.asarray(value)
        if array.dtype.hasobject:
            raise BadInput(
                f"{self._group}[{name!r}] is {type(value).__name__} of {array.dtype}; expected an array of numbers or "
                "text"
            )
        self._arrays[self._prefix + name] = array

    def __delitem__(self, name: str) -> None:
        del self._arrays[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (key.removeprefix(self._prefix) for key in self._arrays if key.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._prefix + name in self._arrays


class _NpzFile(MutableMapping[str, "NDArray[Any]"]):
    """The arrays of an ``.npz`` file, read on access; the file is open only while an array is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: tuple[str, ...] | None = None

    def __getitem__(self, key: str) -> NDArray[Any]:
        try:
            return read_npz(self._path, [key])[key]
        except KeyError:
            raise KeyError(key) from None
        except NPZ_ERRORS as error:
            raise self._error(error) from error

    def __iter__(self) -> Iterator[str]:
        if self._keys is None:
            try:
                self._keys = array_names(self._path)
            except NPZ_ERRORS as error:
                raise self._error(error) from error
        return iter(self._keys)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        return any(key == existing for existing in self)

    def __setitem__(self, key: str, value: NDArray[Any]) -> None:
        raise TypeError(f"{self._path} is open for reading only")

    def __delitem__(self, key: str) -> None:
        raise TypeError(f"{self._path} is open for reading only")

    def _error(self, error: Exception) -> BadInput:
        return BadInput(f"{self._path} cannot be read as a file of arrays: {error}")
