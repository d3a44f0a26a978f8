"""Give jobs to workers as these become free: the loop of every backend that runs several cells at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from relattr.execution.job import Job, Outcome

NextJob = Callable[[], Job | None]
"""Returns the next job, or None if there is none now. After an outcome was handled there may be one again: a lost cell
is tried again."""
Executor = Callable[[NextJob], Iterator[tuple[Job, Outcome]]]
"""Runs jobs until there is none, and yields their outcomes in the order in which they end."""


class Workers(Protocol):
    """Runs several jobs at the same time."""

    def capacity(self) -> int:
        """How many jobs can run at the same time now, at least 1."""

    def start(self, job: Job) -> None:
        """Start a job, without waiting for its end."""

    def wait(self) -> tuple[Job, Outcome]:
        """Wait until a job ends, and return it with its outcome; each job is returned once."""


def dispatch(workers: Workers, next_job: NextJob) -> Iterator[tuple[Job, Outcome]]:
    """Keep workers busy until there is no job and none is running, and yield the outcome of each job that ends.

    When a job has ended, the next one starts before its outcome is yielded: the consumer stores results while cells
    run.
    """
    n_running = 0

    def start_jobs() -> None:
        nonlocal n_running
        for _ in range(workers.capacity() - n_running):
            job = next_job()
            if job is None:
                return
            workers.start(job)
            n_running += 1

    start_jobs()
    while n_running:
        outcome = workers.wait()
        n_running -= 1
        start_jobs()
        yield outcome
        start_jobs()  # if the cell was lost, it is tried again


__all__ = ["Executor", "NextJob", "Workers", "dispatch"]
