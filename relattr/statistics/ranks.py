"""Average ranks of methods over blocks (attributes, datasets): Friedman test and Nemenyi critical difference.

Demsar (JMLR 2006) describes both for the comparison of classifiers; he takes data sets as blocks. Attributes of one
data set share images, so their ranks are not independent, and the tests are then too liberal.

Missing results are not imputed: `average_ranks` uses methods and blocks with a complete table, and reports those that
were dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ranks:
    """Average ranks (1 is best) of ``methods`` over ``blocks``, and what follows from them at a confidence ``level``.

    ``friedman_p`` is the p-value of Friedman's test of no difference. ``dropped`` describes the methods and blocks
    excluded for missing results.
    """

    methods: tuple[str, ...]
    blocks: tuple[str, ...]
    average: tuple[float, ...]
    friedman_p: float
    dropped: tuple[str, ...]
    level: float = 0.95

    @cached_property
    def critical(self) -> float:
        """The critical difference of average ranks of two methods (Nemenyi 1963; Demsar, JMLR 2006, section 3.2.2)."""
        k, n = len(self.methods), len(self.blocks)
        return studentised_range_quantile(self.level, k) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The maximal runs of methods, best first, without a significant difference."""
        return _groups(self.methods, self.average, self.critical)


def average_ranks(values: Mapping[str, Mapping[str, float]], *, level: float = 0.95) -> Ranks | None:
    """Rank methods by ``values[method][block]``, larger is better, ties get their average rank.

    Drops methods with results for less than half of the blocks, then blocks without a result of any remaining method.
    None if fewer than two methods or two blocks remain.
    """
    blocks = list(dict.fromkeys(block for row in values.values() for block in row))
    methods = [m for m in values if 2 * len(values[m]) >= len(blocks) and values[m]]
    dropped = [f"{m}: has {len(values[m])} of {len(blocks)} results" for m in values if m not in methods]
    complete = []
    for block in blocks:
        missing = [m for m in methods if block not in values[m]]
        if missing:
            dropped.append(f"{block}: no result of {', '.join(missing)}")
        else:
            complete.append(block)
    if len(methods) < 2 or len(complete) < 2:
        return None
    table = np.array([[values[m][b] for b in complete] for m in methods])
    ranks = np.stack([_ranks(-values) for values in table.T], 1)
    average = ranks.mean(1)
    order = sorted(range(len(methods)), key=lambda i: (average[i], methods[i]))
    return Ranks(
        methods=tuple(methods[i] for i in order),
        blocks=tuple(complete),
        average=tuple(float(average[i]) for i in order),
        friedman_p=_friedman(ranks),
        dropped=tuple(dropped),
        level=level,
    )


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value, from 1; equal values have the mean of their ranks.

    As `scipy.stats.rankdata`, which takes most of a second to import.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


@lru_cache
def studentised_range_quantile(level: float, k: int) -> float:
    """Return a quantile of the studentised range of k groups with infinitely many degrees of freedom."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(level, k, np.inf))


def _friedman(ranks: NDArray[np.float64]) -> float:
    """Return the p-value of Friedman's test with ties, as Iman and Davenport's F (1980); 1 if all methods tie."""
    from scipy import special

    k, n = ranks.shape
    between = n * float(((ranks.mean(1) - (k + 1) / 2) ** 2).sum())
    within = float(((ranks - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))
    if within == 0.0:
        return 1.0
    chi = between / within
    remainder = n * (k - 1) - chi
    if remainder <= 1e-12:  # every block has the same ranks
        return 0.0
    return float(special.fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi / remainder))


def _groups(methods: Sequence[str], average: Sequence[float], critical: float) -> tuple[tuple[str, ...], ...]:
    """Return the maximal runs of at least two methods within one critical difference."""
    runs: list[tuple[int, int]] = []
    for start in range(len(methods)):
        stop = start
        while stop + 1 < len(methods) and average[stop + 1] - average[start] <= critical:
            stop += 1
        if stop > start and (not runs or stop > runs[-1][1]):
            runs.append((start, stop))
    return tuple(tuple(methods[a : b + 1]) for a, b in runs)
