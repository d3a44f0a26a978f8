"""How long cells will take, estimated from earlier results."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from relattr.harness.cell import Cell
from relattr.harness.limits import DEFAULT_TIME, Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.result import Result
from relattr.harness.result_selection import variant_key
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


def settings_key(cell: Cell) -> tuple[str, str]:
    """Return the method of a cell with its parameters: other parameters say nothing about how long it takes."""
    return cell.method, variant_key(cell)


class CellDurations:
    """Durations of earlier results, by method with its parameters, and dataset. Stale results count too."""

    def __init__(self, results: Iterable[Result]) -> None:
        self._longest: dict[tuple[str, str], float] = defaultdict(float)
        durations: dict[tuple[tuple[str, str], str], list[float]] = defaultdict(list)
        for result in results:
            seconds = result.seconds
            if seconds is None and result.seconds_fit is not None:
                seconds = result.seconds_fit + (result.seconds_compare or 0.0)
            if seconds is not None and result.status == "ok":
                place = result.cell.method, result.cell.dataset
                self._longest[place] = max(self._longest[place], seconds)
            if seconds is not None and result.status in ("ok", "timeout", "memory"):
                durations[settings_key(result.cell), result.cell.dataset].append(seconds)
        self._by_dataset = {key: sum(values) / len(values) for key, values in durations.items()}
        means: dict[tuple[str, str], list[float]] = defaultdict(list)
        for (settings, _), mean in self._by_dataset.items():
            means[settings].append(mean)
        self._on_all_datasets = {settings: sum(values) / len(values) for settings, values in means.items()}

    def estimate(self, planned: PlannedCell) -> float | None:
        """Return the expected duration of a cell in seconds; None without a result of its method and parameters.

        It is the mean on this dataset or, failing that, on all datasets.
        """
        settings = settings_key(planned.cell)
        return self._by_dataset.get((settings, planned.cell.dataset), self._on_all_datasets.get(settings))

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

    For methods with parameters that have none among them, other results in the store are read as well.
    """
    cells = list(cells)
    results = [planned.result for planned in cells if planned.result is not None]
    timed = {settings_key(result.cell) for result in results}
    without = {planned.cell.method for planned in cells if planned.must_run and settings_key(planned.cell) not in timed}
    if without:
        read = {result.cell.key for result in results}
        others = store.results_of_methods(without)
        results += [r for r in others if isinstance(r, Result) and r.cell.key not in read]
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
