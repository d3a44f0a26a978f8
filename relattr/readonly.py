"""Read-only arrays, for objects that share their arrays."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

_Array = TypeVar("_Array", bound=NDArray[Any])


def read_only(array: _Array) -> _Array:
    """Make an array read-only in place, and return it."""
    array.flags.writeable = False
    return array
