"""Jobs in threads: how many at the same time, in which order, and what ends them early."""

from __future__ import annotations

import threading

import pytest

from relattr.execution.backends import _run_in_threads


def each(jobs):
    """A function that returns these jobs one after another, then None."""
    remaining = iter(jobs)
    return lambda: next(remaining, None)


def test_the_next_job_starts_before_an_outcome_is_read():
    started = {k: threading.Event() for k in range(4)}

    def run(job):
        started[job].set()
        return job, job * job

    outcomes = _run_in_threads(run, each(range(4)), 1, lambda: None)
    assert next(outcomes) == (0, 0)
    assert started[1].wait(10)  # while the consumer has not asked for it
    assert not started[3].is_set()
    assert list(outcomes) == [(1, 1), (2, 4), (3, 9)]


def test_no_more_jobs_are_taken_than_threads_are_free():
    taken, barrier = [], threading.Barrier(3, timeout=10)

    def jobs():
        for k in range(6):
            taken.append(k)
            yield k

    def run(job):
        barrier.wait()  # ends only if three run at the same time
        return job, None

    outcomes = _run_in_threads(run, each(jobs()), 3, lambda: None)
    first, _ = next(outcomes)
    assert first in (0, 1, 2)
    assert len(taken) <= 6
    assert sorted([first, *(job for job, _ in outcomes)]) == list(range(6))


@pytest.mark.parametrize("ends", ["consumer", "job"])
def test_an_early_end_closes_the_pool_and_waits_for_no_job(ends):
    closed = threading.Event()

    def run(job):
        if job and ends == "job":
            raise ValueError("job 1 fails")
        if job:
            assert closed.wait(10)  # a cell ends because its pool was closed
        return job, None

    outcomes = _run_in_threads(run, each(range(9)), 1, closed.set)
    assert next(outcomes) == (0, None)
    if ends == "consumer":
        outcomes.close()
    else:
        with pytest.raises(ValueError, match="job 1 fails"):
            list(outcomes)
    assert closed.is_set()
