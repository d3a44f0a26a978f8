"""How long the cells of a plan will take, from the cells that were computed before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from relattr.harness.plan import PlannedCell
from relattr.harness.result import Result
from relattr.harness.store import Store


@dataclass(frozen=True)
class DurationEstimate:
    """Seconds of work in cells that are like earlier ones, and how many are like none."""

    seconds: float
    unknown: int


class CellDurations:
    """The mean duration of earlier cells, by method and dataset, however stale they are."""

    def __init__(self, results: Iterable[Result]) -> None:
        exact: dict[tuple[str, str], list[float]] = defaultdict(list)
        for result in results:
            took = result.seconds
            if took is None and result.seconds_fit is not None:
                took = result.seconds_fit + (result.seconds_compare or 0.0)
            if took is not None and result.status in ("ok", "timeout", "memory"):
                exact[result.cell.method, result.cell.dataset].append(took)
        self._exact = {key: sum(times) / len(times) for key, times in exact.items()}
        by_method: dict[str, list[float]] = defaultdict(list)
        for (method, _), mean in self._exact.items():
            by_method[method].append(mean)
        self._method = {method: sum(means) / len(means) for method, means in by_method.items()}

    def of(self, planned: PlannedCell) -> float | None:
        """Seconds one cell is expected to take; None if nothing like it was computed before."""
        cell = planned.cell
        return self._exact.get((cell.method, cell.dataset), self._method.get(cell.method))

    def total(self, cells: Iterable[PlannedCell]) -> DurationEstimate:
        """What these cells are expected to take one after another."""
        each = [self.of(planned) for planned in cells]
        return DurationEstimate(sum(t for t in each if t is not None), sum(t is None for t in each))


def times(cells: Iterable[PlannedCell], store: Store) -> CellDurations:
    """The durations known for these cells' methods; the rest of the store is read only for methods without any."""
    cells = list(cells)
    found = [p.result for p in cells if p.result is not None]
    unknown = {p.cell.method for p in cells if p.must_run} - {r.cell.method for r in found}
    if unknown:
        found += [r for r in store.of_methods(unknown) if isinstance(r, Result)]
    return CellDurations(found)
