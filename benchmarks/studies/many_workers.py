"""Simulate runs of 10,000 cells on 100 workers of random speed that fail at random times.

    python benchmarks/studies/many_workers.py --out benchmarks/studies/many_workers.md

The queue of cells, the loop that gives them to workers, the retries, the locks and the files of results are those of
``relattr run``. Only the workers and their clock are simulated: a cell takes its seconds divided by the speed of its
worker, and a worker that fails loses its cell and comes back later. As in Dask, a lost cell goes to another worker, and
is reported to the runner once it has lost more than ``allowed-failures`` workers.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import os
import platform
import tempfile
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from relattr.execution.dispatch import dispatch
from relattr.execution.job import CompletedCell, Job, LostCell, Outcome
from relattr.execution.runner import Runner
from relattr.harness.cell import Cell
from relattr.harness.estimate import CellDurations
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import Provenance, record_provenance
from relattr.harness.result import VERSION, Result
from relattr.harness.store import Store
from relattr.registry import Registry, registry
from relattr.report.formats.markdown import pipe_table
from relattr.system.atomic import write_text

SECONDS = {
    "chance": 0.2,
    "ranksvm-hog2x2": 16.0,
    "parikh-grauman-cnn": 50.0,
    "visual-chains": 240.0,
    "regression-alexnet": 480.0,
    "siamese-alexnet": 520.0,
    "viralnet": 620.0,
    "viralnet-c": 930.0,
    "viralnet-m": 1340.0,
    "viralnet-mc": 1480.0,
}
"""Mean seconds of a cell of each method, of the order of the rows of OSR on two processors."""
FACTORS = {"osr": 1.0, "lfw10": 0.5, "pubfig": 1.5, "glyphs": 2.0}
"""Mean duration on each dataset, relative to OSR."""
SPREAD = 0.3
"""Standard deviation of the logarithm of a cell's duration around the mean of its method on its dataset."""
ATTRIBUTES = ("a", "b", "c", "d", "e")
REPAIR = 1200.0
"""Mean seconds until a failed worker is back."""


@dataclass(frozen=True)
class ClusterScenario:
    """The workers, and what is known about the cells."""

    name: str
    fastest: float = 1.0
    """Speeds are between 1 / ``fastest`` and ``fastest``, uniform in their logarithm."""
    uptime: float = math.inf
    """Mean seconds between two failures of a worker."""
    allowed_failures: int = 3
    """A cell that has lost more workers than this is reported as lost."""
    known: bool = True
    """Whether earlier results say how long the methods take on each dataset."""


@dataclass
class SimulatedCluster:
    """Workers of different speeds with a clock of their own, as `relattr.execution.dispatch.Workers`."""

    seconds: Mapping[str, float]
    """Duration of each cell on a worker of speed 1, by the cell's key."""
    speeds: Sequence[float]
    provenance: Provenance
    rng: np.random.Generator
    uptime: float = math.inf
    allowed_failures: int = 0
    clock: float = 0.0
    n_losses: int = 0
    """How often a worker failed while it ran a cell."""
    seconds_lost: float = 0.0
    """Work that was lost with it, in seconds of a worker of speed 1."""
    processor_seconds: float = 0.0
    """Processor time of the simulation itself."""
    starts: Counter[str] = field(default_factory=Counter)
    """How often each cell was started."""

    def __post_init__(self) -> None:
        n = len(self.speeds)
        self._events: list[tuple[float, int, str, int, int]] = []  # time, number, kind, worker, number of its job
        self._numbers = itertools.count()
        self._up = [True] * n
        self._idle = set(range(n))
        self._running: dict[int, tuple[Job, int, float]] = {}  # by worker: its job, the job's number, its start
        self._waiting: deque[Job] = deque()
        self._failures: Counter[str] = Counter()
        if self.uptime < math.inf:
            for worker in range(n):
                self._schedule(self.rng.exponential(self.uptime), "failure", worker)

    def capacity(self) -> int:
        """The number of workers that are up."""
        return max(1, sum(self._up))

    def start(self, job: Job) -> None:
        """Give a job to a random idle worker."""
        begin = time.process_time()
        key = job.cell.key
        assert all(other.cell.key != key for other, _, _ in self._running.values()), f"{job.cell} runs twice"
        self._waiting.append(job)
        self._assign()
        self.processor_seconds += time.process_time() - begin

    def wait(self) -> tuple[Job, Outcome]:
        """Advance the clock to the next end of a job."""
        begin = time.process_time()
        ended = None
        while ended is None:
            self.clock, _, kind, worker, number = heapq.heappop(self._events)
            if kind == "failure":
                ended = self._fail(worker)
            elif kind == "repair":
                self._up[worker] = True
                self._idle.add(worker)
                self._schedule(self.rng.exponential(self.uptime), "failure", worker)
            elif worker in self._running and self._running[worker][1] == number:
                ended = self._complete(worker)
            self._assign()
        self.processor_seconds += time.process_time() - begin
        return ended

    def _schedule(self, delay: float, kind: str, worker: int) -> int:
        number = next(self._numbers)
        heapq.heappush(self._events, (self.clock + delay, number, kind, worker, number))
        return number

    def _assign(self) -> None:
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            worker = sorted(self._idle)[int(self.rng.integers(len(self._idle)))]
            self._idle.discard(worker)
            self.starts[job.cell.key] += 1
            number = self._schedule(self.seconds[job.cell.key] / self.speeds[worker], "end", worker)
            self._running[worker] = job, number, self.clock

    def _complete(self, worker: int) -> tuple[Job, Outcome]:
        job, _, begin = self._running.pop(worker)
        self._idle.add(worker)
        result = Result(
            VERSION, job.cell, "ok", job.fingerprints, self.provenance, "M", "D", seconds=self.clock - begin
        )
        return job, CompletedCell(msgspec.json.encode(result))

    def _fail(self, worker: int) -> tuple[Job, Outcome] | None:
        """Lose a worker. Returns its job if that is given up; otherwise the job waits for another worker."""
        self._up[worker] = False
        self._idle.discard(worker)
        self._schedule(self.rng.exponential(REPAIR), "repair", worker)
        if worker not in self._running:
            return None
        job, _, begin = self._running.pop(worker)
        self.n_losses += 1
        self.seconds_lost += (self.clock - begin) * self.speeds[worker]
        self._failures[job.cell.key] += 1
        if self._failures[job.cell.key] > self.allowed_failures:
            del self._failures[job.cell.key]
            return job, LostCell("its workers were lost")
        self._waiting.appendleft(job)
        return None


@dataclass(frozen=True)
class Simulation:
    """What a simulated run did."""

    cluster: SimulatedCluster
    results: list[Result]
    """The rows in the store at the end."""
    n_written: Counter[str]
    """How often the row of each cell was written."""
    n_reported: int
    """How many losses were reported to the runner, which tried the cell again or gave it up."""
    processor_seconds: float
    """Of the runner, without the simulation: queue, locks, retries, files."""

    @property
    def work(self) -> float:
        """The duration of all cells on one worker of speed 1."""
        return sum(self.cluster.seconds.values())

    @property
    def lower_bound(self) -> float:
        """No schedule is faster: all workers busy all the time, or the longest cell on the fastest worker."""
        longest, speeds = max(self.cluster.seconds.values()), self.cluster.speeds
        return max(self.work / sum(speeds), longest / max(speeds))

    @property
    def upper_bound(self) -> float:
        """Without failures: the last cell starts while all workers are busy, at worst the longest on the slowest."""
        speeds = self.cluster.speeds
        return self.work / sum(speeds) + max(self.cluster.seconds.values()) / min(speeds)


def draw_cells(n: int, rng: np.random.Generator) -> tuple[list[PlannedCell], dict[str, float], CellDurations]:
    """Draw n cells, their durations by key, and the durations of earlier results: one for each method and dataset."""
    provenance = record_provenance("cpu", 1)
    seconds, cells = {}, []
    combinations = len(SECONDS) * len(FACTORS) * len(ATTRIBUTES)
    for seed, dataset, attribute, method in itertools.product(
        range(-(-n // combinations)), FACTORS, ATTRIBUTES, SECONDS
    ):
        cell = Cell(method, {}, dataset, {}, attribute, "standard", seed)
        cells.append(PlannedCell(cell, "missing", "", {}))
        noise = rng.normal(-(SPREAD**2) / 2, SPREAD)  # mean 1
        seconds[cell.key] = SECONDS[method] * FACTORS[dataset] * math.exp(noise)
    earlier = [
        Result(
            VERSION,
            Cell(method, {}, dataset, {}, "earlier", "standard", 0),
            "ok",
            {},
            provenance,
            method,
            dataset,
            seconds=SECONDS[method] * factor,
        )
        for method in SECONDS
        for dataset, factor in FACTORS.items()
    ]
    return cells[:n], {planned.cell.key: seconds[planned.cell.key] for planned in cells[:n]}, CellDurations(earlier)


def simulate(scenario: ClusterScenario, n_cells: int, n_workers: int, seed: int, plugins: Registry) -> Simulation:
    """Run a scenario with the real runner on simulated workers."""
    rng = np.random.default_rng([seed, n_cells, n_workers])
    cells, seconds, durations = draw_cells(n_cells, rng)
    speeds = np.exp(rng.uniform(-1, 1, n_workers) * math.log(scenario.fastest)).tolist()
    provenance = record_provenance("cpu", 1)
    cluster = SimulatedCluster(seconds, speeds, provenance, rng, scenario.uptime, scenario.allowed_failures)
    n_written: Counter[str] = Counter()
    n_reported = 0

    def count_losses(text: str) -> None:
        nonlocal n_reported
        n_reported += "workers were lost" in text

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "results")
        begin = time.process_time()
        runner = Runner(
            cells,
            plugins,
            store,
            on_result=lambda planned, result: n_written.update([planned.cell.key]),
            on_message=count_losses,
            durations=durations if scenario.known else None,
        )
        runner.run(lambda next_job: dispatch(cluster, next_job))
        used = time.process_time() - begin - cluster.processor_seconds
        stored = [store.read(planned.cell) for planned in cells]
    results = [result for result in stored if isinstance(result, Result)]
    n_reported += sum(result.status == "crashed" for result in results)  # the last loss is in the row
    return Simulation(cluster, results, n_written, n_reported, used)


SCENARIOS = (
    ClusterScenario("equal workers, durations unknown", known=False),
    ClusterScenario("equal workers, durations known"),
    ClusterScenario("speeds 0.5 to 2, durations unknown", fastest=2, known=False),
    ClusterScenario("speeds 0.5 to 2, durations known", fastest=2),
    ClusterScenario("the same, a failure every 12 h, unknown", fastest=2, uptime=12 * 3600, known=False),
    ClusterScenario("the same, a failure every 12 h, known", fastest=2, uptime=12 * 3600),
    ClusterScenario("the same, a failure every 2 h, known", fastest=2, uptime=2 * 3600),
    ClusterScenario("the same, each loss is reported to the runner", fastest=2, uptime=2 * 3600, allowed_failures=0),
)
HEADER = (
    "scenario",
    "makespan, h",
    "lower bound, h",
    "ratio",
    "cells lost by workers",
    "work lost, %",
    "losses that the runner saw",
    "rows ok",
    "rows crashed",
    "cells without row",
    "rows written twice",
    "runner, ms of processor time a cell",
)


def summarise(scenario: ClusterScenario, simulation: Simulation) -> list[str]:
    """The row of a scenario."""
    cluster = simulation.cluster
    n = len(cluster.seconds)
    statuses = Counter(result.status for result in simulation.results)
    return [
        scenario.name,
        f"{cluster.clock / 3600:.2f}",
        f"{simulation.lower_bound / 3600:.2f}",
        f"{cluster.clock / simulation.lower_bound:.3f}",
        f"{cluster.n_losses:,}",
        f"{100 * cluster.seconds_lost / simulation.work:.1f}",
        f"{simulation.n_reported:,}",
        f"{statuses['ok']:,}",
        f"{statuses['crashed']:,}",
        f"{n - len(simulation.results):,}",
        f"{sum(count > 1 for count in simulation.n_written.values()):,}",
        f"{1000 * simulation.processor_seconds / n:.2f}",
    ]


def main() -> None:
    """Simulate every scenario; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    registry.discover()
    load = os.getloadavg()[0]
    rows = []
    for scenario in SCENARIOS:
        if args.only in scenario.name:
            start = time.perf_counter()
            rows.append(summarise(scenario, simulate(scenario, args.cells, args.workers, args.seed, registry)))
            print(" | ".join(rows[-1]), f"  [{time.perf_counter() - start:.0f} s]", flush=True)
    if args.out:
        lines = [
            f"# {args.cells:,} cells on {args.workers:,} simulated workers",
            "",
            f"`python benchmarks/studies/many_workers.py --cells {args.cells} --workers {args.workers} --seed "
            f"{args.seed} --out benchmarks/studies/many_workers.md`",
            "",
            "The queue, the dispatch loop, the retries, the locks and the files of results are those of `relattr run`; "
            f"workers and clock are simulated. {len(SECONDS)} methods with mean durations from "
            f"{min(SECONDS.values()):g} s to {max(SECONDS.values()) / 60:.0f} min on OSR; four datasets, on which a "
            f"cell takes {min(FACTORS.values()):g} to {max(FACTORS.values()):g} times as long; a log-normal spread of "
            f"{100 * SPREAD:.0f} %. Workers fail at random, on average after the given time. A failed worker loses its "
            f"cell, which starts from zero, and is back after {REPAIR / 60:.0f} min on average.",
            "",
            "*Durations known*: earlier results give the mean of each method on each dataset, and the longest cells "
            "start first; *unknown*: cells run in the order of the benchmark, here from short methods to long ones. "
            "The lower bound is the larger of total work / total speed and the longest cell on the fastest worker; it "
            "ignores failures. As in Dask, a cell is reported to the runner as lost once it has lost four workers, in "
            "the last row each time. After five such losses its row has the status `crashed`, which "
            "`relattr run --retry crashed` computes again.",
            "",
            f"Processor time on {platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python "
            f"{platform.python_version()}, load {load:.1f} at the start.",
            "",
            *pipe_table(HEADER, rows),
            "",
        ]
        write_text(args.out, "\n".join(lines))


if __name__ == "__main__":
    main()
