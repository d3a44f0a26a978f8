"""Correction for multiple comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.errors import BadInput


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values (Scand. J. Statistics 1979), in the order of ``p``.

    Rejecting those below alpha controls the family-wise error rate at alpha under any dependence. Raises `BadInput` for
    a value outside [0, 1], NaN included.
    """
    for value in p:
        if not 0.0 <= value <= 1.0:
            raise BadInput(f"{value} is not a p-value; expected a number in [0, 1]")
    adjusted = [0.0] * len(p)
    largest = 0.0
    for k, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - k) * p[index]))
        adjusted[index] = largest
    return adjusted
