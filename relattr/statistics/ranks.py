"""Ranks of methods over several blocks (attributes, datasets), and which differ.

Blocks in which a method has no result are never guessed: `average_ranks` takes the methods and blocks
whose table is whole, and names what it left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ranks:
    """Average ranks (1 is best) of ``methods`` over ``blocks``.

    ``friedman_p`` is that of no difference at all; ``critical`` the difference of average ranks from
    which on two methods differ (Nemenyi; Demsar, JMLR 2006); ``groups`` the runs of methods, best first,
    within which none does. ``dropped`` are (method, block) that had no result and what that cost.
    """

    methods: tuple[str, ...]
    blocks: tuple[str, ...]
    average: tuple[float, ...]
    friedman_p: float
    critical: float
    groups: tuple[tuple[str, ...], ...]
    dropped: tuple[str, ...]


def average_ranks(values: Mapping[str, Mapping[str, float]], *, level: float = 0.95) -> Ranks | None:
    """Rank methods by ``values[method][block]``, larger is better, ties shared.

    A method that has less than half of the blocks is left out; then a block that any method of the rest
    lacks. None where fewer than two methods or two blocks are left.
    """
    blocks = list(dict.fromkeys(block for row in values.values() for block in row))
    methods = [m for m in values if 2 * len(values[m]) >= len(blocks) and values[m]]
    dropped = [f"{m}: has {len(values[m])} of {len(blocks)} results" for m in values if m not in methods]
    whole = []
    for block in blocks:
        absent = [m for m in methods if block not in values[m]]
        if absent:
            dropped.append(f"{block}: no result of {', '.join(absent)}")
        else:
            whole.append(block)
    if len(methods) < 2 or len(whole) < 2:
        return None
    table = np.array([[values[m][b] for b in whole] for m in methods])
    ranks = _ranks(table)
    average = ranks.mean(1)
    k, n = table.shape
    order = sorted(range(k), key=lambda i: (average[i], methods[i]))
    critical = studentised_range_quantile(level, k) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n))
    return Ranks(
        methods=tuple(methods[i] for i in order),
        blocks=tuple(whole),
        average=tuple(float(average[i]) for i in order),
        friedman_p=_friedman(ranks),
        critical=float(critical),
        groups=_groups([methods[i] for i in order], [float(average[i]) for i in order], critical),
        dropped=tuple(dropped),
    )


def _ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank within each column, 1 the largest, ties at their mean rank: ``(methods, blocks)``."""
    larger = (table[None] > table[:, None]).sum(1)
    equal = (table[None] == table[:, None]).sum(1)
    return larger + (equal + 1) / 2


def studentised_range_quantile(level: float, k: int) -> float:
    """The quantile of the range of k independent standard normal variables (Studentised, with infinite freedom)."""
    from scipy import special

    z = np.linspace(-9.0, 9.0, 4001)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        below = k * np.trapezoid(density * (special.ndtr(z) - special.ndtr(z - middle)) ** (k - 1), z)
        low, high = (middle, high) if below < level else (low, middle)
    return (low + high) / 2


def _friedman(ranks: NDArray[np.float64]) -> float:
    """Friedman's test with ties, Iman and Davenport's F; 1 where no block tells the methods apart."""
    from scipy import special

    k, n = ranks.shape
    between = n * float(((ranks.mean(1) - (k + 1) / 2) ** 2).sum())
    within = float(((ranks - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))
    if within == 0.0:
        return 1.0
    chi = between / within
    room = n * (k - 1) - chi
    if room <= 1e-12:  # every block has the same ranks
        return 0.0
    return float(special.fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi / room))


def _groups(methods: Sequence[str], average: Sequence[float], critical: float) -> tuple[tuple[str, ...], ...]:
    """The longest runs of at least two methods within one critical difference."""
    found: list[tuple[int, int]] = []
    for start in range(len(methods)):
        stop = start
        while stop + 1 < len(methods) and average[stop + 1] - average[start] <= critical:
            stop += 1
        if stop > start and (not found or stop > found[-1][1]):
            found.append((start, stop))
    return tuple(tuple(methods[a : b + 1]) for a, b in found)
