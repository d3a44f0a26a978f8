"""Bounds of the integers that users give."""

from __future__ import annotations

from numbers import Integral

DECIDES_RESULTS = False

MAX_SEED = 2**63 - 1
"""The largest seed, and the largest absolute value of an integer parameter: files and messages hold 64 bits."""
MAX_THREADS = 4096
"""The largest number of threads of a cell, and of cells that run at the same time."""


def is_integer(value: object, least: int, most: int) -> bool:
    """Whether a value is an integer within these bounds, of Python or NumPy; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most
