"""How long cells will take, estimated from earlier results."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from relattr.harness.limits import DEFAULT_TIME, Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.result import Result
from relattr.harness.stored_results import StoredResults
from relattr.harness.units import parse_duration

TIME_FACTOR = 10.0
"""The default time limit is at least this many times the longest earlier run of the method on the dataset."""


@dataclass(frozen=True)
class DurationEstimate:
    """The total duration of some cells, as far as it can be estimated."""

    seconds: float
    """Total of the cells with an estimate."""
    n_unknown: int
    """Number of cells without an estimate."""


class CellDurations:
    """Durations of earlier results, by method and dataset. Stale results count too."""

    def __init__(self, results: Iterable[Result]) -> None:
        self._longest: dict[tuple[str, str], float] = defaultdict(float)
        durations: dict[tuple[str, str], list[float]] = defaultdict(list)
        for result in results:
            seconds = result.seconds
            if seconds is None and result.seconds_fit is not None:
                seconds = result.seconds_fit + (result.seconds_compare or 0.0)
            if seconds is not None and result.status == "ok":
                place = result.cell.method, result.cell.dataset
                self._longest[place] = max(self._longest[place], seconds)
            if seconds is not None and result.status in ("ok", "timeout", "memory"):
                durations[result.cell.method, result.cell.dataset].append(seconds)
        self._by_method_and_dataset = {key: sum(values) / len(values) for key, values in durations.items()}
        means: dict[str, list[float]] = defaultdict(list)
        for (method, _), mean in self._by_method_and_dataset.items():
            means[method].append(mean)
        self._by_method = {method: sum(values) / len(values) for method, values in means.items()}

    def estimate(self, planned: PlannedCell) -> float | None:
        """Return the expected duration of a cell in seconds; None without an earlier result of its method.

        It is the mean for the method on this dataset or, failing that, on all datasets.
        """
        cell = planned.cell
        return self._by_method_and_dataset.get((cell.method, cell.dataset), self._by_method.get(cell.method))

    def longest(self, planned: PlannedCell) -> float | None:
        """Return the longest successful run of a cell's method on its dataset, in seconds; None without any."""
        return self._longest.get((planned.cell.method, planned.cell.dataset))

    def estimate_total(self, cells: Iterable[PlannedCell]) -> DurationEstimate:
        """Return the expected duration of these cells, one after another."""
        estimates = [self.estimate(planned) for planned in cells]
        known = [seconds for seconds in estimates if seconds is not None]
        return DurationEstimate(sum(known), len(estimates) - len(known))


def known_durations(cells: Iterable[PlannedCell], store: StoredResults) -> CellDurations:
    """Return the durations of the earlier results of these cells.

    For methods that have none among them, other results in the store are read as well.
    """
    cells = list(cells)
    results = [planned.result for planned in cells if planned.result is not None]
    without = {planned.cell.method for planned in cells if planned.must_run} - {r.cell.method for r in results}
    if without:
        results += [result for result in store.results_of_methods(without) if isinstance(result, Result)]
    return CellDurations(results)


def extend_time_limits(cells: Iterable[PlannedCell], durations: CellDurations) -> list[PlannedCell]:
    """Return the cells with a longer time limit where the default is short for what their method took before.

    Without a limit of its own, a cell has `DEFAULT_TIME`, or `TIME_FACTOR` times the longest earlier run of its method
    on its dataset if that is more.
    """
    extended = []
    default = parse_duration(DEFAULT_TIME) or 0.0
    for planned in cells:
        seconds = TIME_FACTOR * (durations.longest(planned) or 0.0)
        if not planned.limits.time and seconds > default:
            limits = Limits(time=f"{math.ceil(seconds / 3600)}h").with_defaults(planned.limits)
            planned = replace(planned, limits=limits)
        extended.append(planned)
    return extended
