"""Many comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence

from relattr.errors import BadInput


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (Scand. J. Statistics 1979), in the order of ``p``.

    Rejecting those below alpha errs at all with probability at most alpha, whatever depends on what.
    Raises `BadInput` for a value outside [0, 1], NaN included.
    """
    for value in p:
        if not 0.0 <= value <= 1.0:
            raise BadInput(f"{value} is not a p-value")
    adjusted = [0.0] * len(p)
    largest = 0.0
    for k, which in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - k) * p[which]))
        adjusted[which] = largest
    return adjusted
