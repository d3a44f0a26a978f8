"""Computes cells with a backend of the user's choice: for the command line and for Python."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from relattr.execution import backends
from relattr.execution.dispatch import Executor
from relattr.execution.job import Job, modules_to_preload
from relattr.execution.processes import is_supported
from relattr.execution.resources import default_jobs
from relattr.execution.runner import Runner
from relattr.harness.estimate import CellDurations
from relattr.harness.plan import PlannedCell
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.registry import Registry


class Observer(Protocol):
    """What is told about a computation; its methods may be called from any thread."""

    def started(self, job: Job) -> None:
        """A cell has started."""

    def progressed(self, job: Job, description: str, done: int, total: int) -> None:
        """A running cell reports its progress."""

    def finished(self, planned: PlannedCell, result: Result) -> None:
        """A cell has finished, and its result is stored."""

    def finished_elsewhere(self, planned: PlannedCell, result: Result) -> None:
        """A cell was computed by another run on the same results folder."""

    def print(self, text: str) -> None:
        """A message for the user."""


@dataclass(frozen=True)
class ComputeSettings:
    """How cells are computed.

    ``backend``: in processes on this machine (``local``), on the workers of a Dask cluster (``dask``, whose scheduler
    is at ``address``), or in this process (``inline``). ``jobs`` and ``threads``: cells at the same time, and threads
    of each; 0 for the default. ``folders`` are folders of plugins.
    """

    backend: str = "local"
    address: str = ""
    jobs: int = 0
    threads: int = 0
    device: str = "auto"
    folders: Sequence[Path] = ()

    def resolved(self, n_cells: int, benchmark_threads: int) -> ComputeSettings:
        """The same with the defaults filled in, for a benchmark that sets this number of threads, or none (0)."""
        threads = self.threads or benchmark_threads
        jobs = self.jobs
        if self.backend == "local":
            jobs = min(jobs or default_jobs(threads if benchmark_threads else 0, self.device), n_cells)
        return replace(self, jobs=jobs, threads=threads)


def compute_cells(
    cells: Sequence[PlannedCell],
    registry: Registry,
    store: Store,
    settings: ComputeSettings,
    observer: Observer,
    durations: CellDurations | None = None,
) -> list[Result]:
    """Compute cells and store their results, which are returned. ``settings`` are resolved.

    If ``durations`` are given and several cells run at the same time, those that are expected to take longest start
    first.
    """
    if settings.backend == "local" and not is_supported():
        observer.print(
            "separate processes for cells are supported on Linux only: cells run in this process, without limits on "
            "time and memory (the backend inline does so without this warning)"
        )
        settings = replace(settings, backend="inline")
    runner = Runner(
        cells,
        registry,
        store,
        on_result=observer.finished,
        on_external_result=observer.finished_elsewhere,
        on_message=observer.print,
        device=settings.device,
        threads=settings.threads,
        folders=settings.folders,
        durations=None if settings.jobs == 1 else durations,
    )
    with _executor(cells, registry, settings, observer) as executor:
        return runner.run(executor)


@contextlib.contextmanager
def _executor(
    cells: Sequence[PlannedCell], registry: Registry, settings: ComputeSettings, observer: Observer
) -> Iterator[Executor]:
    if settings.backend == "inline":
        with backends.inline_executor(registry, on_start=observer.started) as executor:
            yield executor
    elif settings.backend == "dask":
        with backends.dask_executor(settings.jobs, settings.address, on_start=observer.started) as executor:
            yield executor
    else:
        with backends.local_executor(
            settings.jobs,
            folders=[str(folder.absolute()) for folder in settings.folders],
            skip=registry.left_out,
            preload=modules_to_preload(cells, registry),
            on_progress=observer.progressed,
            on_start=observer.started,
            on_warning=observer.print,
        ) as executor:
            yield executor
