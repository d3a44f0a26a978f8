"""The numbers that a method returns or learns: which of them results can hold without a change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from relattr.bounds import MAX_SEED
from relattr.errors import BadInput, shortened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_EXACT_INTEGER = 2**53
"""Larger integers can be equal as floats though they differ."""


def is_storable_number(value: Any) -> bool:
    """Whether a value is a bool, or an integer or float that JSON and 64 bits hold."""
    if isinstance(value, bool):
        return True
    return (isinstance(value, int) and abs(value) <= MAX_SEED) or (isinstance(value, float) and math.isfinite(value))


def as_real_array(values: Any, what: str) -> NDArray[np.float64]:
    """Return numbers as an array of float64; they may be NaN or infinite.

    Raises `BadInput`, which begins with ``what``, for anything but real numbers, for masked values, and for integers
    of more than `MAX_EXACT_INTEGER`, which rounding could make equal.
    """
    import numpy as np

    if np.ma.is_masked(values):
        raise BadInput(f"{what} has masked values; expected a number for each")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":  # integers beyond 64 bits, fractions, or not numbers
            if any(value is None for value in array.flat):
                raise TypeError("it has None")
            array = np.asarray(values, np.int64 if all(isinstance(v, int) for v in array.flat) else np.float64)
    except OverflowError:
        raise BadInput(f"{what} has integers beyond 2**53, which floats do not tell apart; return floats") from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} is not an array of real numbers: {shortened(str(error))}") from None
    if array.dtype.kind not in "biuf":
        raise BadInput(f"{what} has the type {array.dtype}; expected real numbers")
    if array.dtype.kind in "iu" and array.size and max(int(array.max()), -int(array.min())) > MAX_EXACT_INTEGER:
        raise BadInput(f"{what} has integers beyond 2**53, which floats do not tell apart; return floats")
    return array.astype(np.float64, copy=False)
