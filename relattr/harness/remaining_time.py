"""How long a run will still take: from earlier results, corrected by the cells that this run has finished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from relattr.harness.estimate import CellDurations, settings_key
from relattr.harness.plan import PlannedCell
from relattr.harness.result import Result

OVERTIME = 0.1
"""A cell that runs longer than expected is expected to run for this share of its time so far."""


class RemainingTime:
    """Estimates the remaining time of a run.

    A cell is expected to take the mean time of the cells of its method, with its parameters and on its dataset, that
    this run has finished.
    Failing that, it is the time of earlier results, times the ratio of measured to expected time in this run. Other
    methods say nothing: `chance` takes milliseconds, a network minutes.

    Parameters
    ----------
    jobs : how many cells run at the same time.
    """

    def __init__(self, cells: Iterable[PlannedCell], durations: CellDurations, jobs: int) -> None:
        self._remaining = {planned.cell.key: planned for planned in cells}
        self._durations, self._jobs = durations, max(1, jobs)
        self._seconds: dict[tuple[tuple[str, str], str], list[float]] = defaultdict(list)
        self._measured = self._expected = 0.0

    def finished(self, planned: PlannedCell, result: Result | None = None) -> None:
        """Take a cell off; its result counts if it was computed by this run and took its full time."""
        self._remaining.pop(planned.cell.key, None)
        if result is None or result.seconds is None or result.status not in ("ok", "timeout", "memory"):
            return
        self._seconds[settings_key(planned.cell), planned.cell.dataset].append(result.seconds)
        earlier = self._durations.estimate(planned)
        if earlier is not None:
            self._measured += result.seconds
            self._expected += earlier

    def expected(self, planned: PlannedCell) -> float | None:
        """The duration of a cell in seconds; None if nothing is known. Blocked cells end at once."""
        if planned.state == "blocked":
            return 0.0
        measured = self._seconds.get((settings_key(planned.cell), planned.cell.dataset))
        if measured:
            return sum(measured) / len(measured)
        earlier = self._durations.estimate(planned)
        if earlier is None:
            return None
        return earlier * self._measured / self._expected if self._expected else earlier

    def seconds(self, elapsed: Mapping[str, float]) -> float | None:
        """The remaining time of the run; None if the duration of a cell is unknown.

        ``elapsed`` has the seconds for which each running cell has run, by the cell's key.
        """
        left = []
        for key, planned in self._remaining.items():
            expected = self.expected(planned)
            if expected is None:
                return None
            so_far = elapsed.get(key, 0.0)
            left.append(max(expected - so_far, OVERTIME * so_far))
        return max(sum(left) / self._jobs, max(left)) if left else 0.0
