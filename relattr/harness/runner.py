"""Running the cells of a plan and keeping what each came to.

The seam for processes and clusters is `Executor`: given cells, it yields their results in whatever
order they end. Here there is one, in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from relattr.harness.execute import execute
from relattr.harness.plan import Plan, Planned
from relattr.harness.provenance import provenance
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

Finished = tuple[Result, Mapping[str, "NDArray[Any]"]]
Executor = Callable[[Sequence[Planned], Registry], Iterator[Finished]]
Report = Callable[[Planned, Result], None]


def in_this_process(device: str, threads: int, started: Callable[[Planned], None]) -> Executor:
    """An executor that computes one cell after another, here."""

    def run(cells: Sequence[Planned], registry: Registry) -> Iterator[Finished]:
        for planned in cells:
            started(planned)
            circumstances = Run(seed=planned.cell.seed, device=device, threads=threads)
            result, arrays = execute(
                planned.cell, registry, planned.fingerprints, provenance(device, threads), circumstances
            )
            yield result, arrays

    return run


def run_plan(
    plan: Plan, registry: Registry, store: Store, executor: Executor, *, retry: Sequence[str] = (), report: Report
) -> list[Result]:
    """Compute every cell of a plan that has to run, and write each result as it lands.

    ``retry`` lists statuses (failed, timeout, ...) whose cells run again although they have a result. A cell that
    is blocked gets a row that says why. Returns the results written.
    """
    written = []
    waiting = []
    for planned in plan.cells:
        again = planned.state == "failed" and planned.result is not None and planned.result.status in retry
        if planned.runs or again:
            waiting.append(planned)
    by_cell = {planned.cell.key: planned for planned in waiting}
    for result, arrays in executor(waiting, registry):
        store.write(result, arrays)
        written.append(result)
        report(by_cell[result.cell.key], result)
    return written
