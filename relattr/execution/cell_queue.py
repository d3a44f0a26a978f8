"""The order in which the cells of a run are computed."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable

from relattr.execution.job import Job, imports_slowly
from relattr.harness.estimate import CellDurations
from relattr.harness.plan import PlannedCell


class CellQueue:
    """Cells that wait to be computed.

    Cells of methods that wait for no slow import come first. Then, if ``durations`` are given, the cells that are
    expected to take longest: a long cell that starts last is computed while the other workers are idle. A cell without
    an expected duration counts as the longest. Otherwise cells run method by method, as the benchmark lists them:
    benchmarks list simple methods first, so that their rows are complete early.
    """

    def __init__(self, cells: Iterable[tuple[PlannedCell, Job]], durations: CellDurations | None = None) -> None:
        cells = list(cells)
        positions: dict[str, int] = {}
        for planned, _ in cells:
            positions.setdefault(planned.cell.method, len(positions))
        self._priorities = {
            planned.cell.key: (imports_slowly(job.preload), -_expected_seconds(planned, durations))
            for planned, job in cells
        }
        in_order = sorted(cells, key=lambda pair: positions[pair[0].cell.method])
        self._count = itertools.count()
        self._heap = [
            (self._priorities[planned.cell.key], next(self._count), planned.cell.key) for planned, _ in in_order
        ]
        heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    def pop(self) -> str:
        """Remove the key of the next cell and return it. Raises IndexError if the queue is empty."""
        return heapq.heappop(self._heap)[2]

    def put_back(self, key: str) -> None:
        """Put a cell that was removed behind those that are expected to take as long."""
        heapq.heappush(self._heap, (self._priorities[key], next(self._count), key))


def _expected_seconds(planned: PlannedCell, durations: CellDurations | None) -> float:
    """The expected duration; infinite if it is not known, and for blocked cells, which end at once with the reason."""
    if durations is None or planned.state == "blocked":
        return math.inf
    seconds = durations.estimate(planned)
    return math.inf if seconds is None else seconds


__all__ = ["CellQueue"]
