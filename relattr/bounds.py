"""Bounds of the integers that users give."""

from __future__ import annotations

DECIDES_RESULTS = False

MAX_SEED = 2**63 - 1
"""The largest seed, and the largest absolute value of an integer parameter: files and messages hold 64 bits."""
MAX_THREADS = 4096
"""The largest number of threads of a cell, and of cells that run at the same time."""
