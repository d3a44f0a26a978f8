"""Workers are kept busy, and a job that comes back is started while others run."""

from __future__ import annotations

from collections import deque

from relattr.execution.dispatch import dispatch


class Clockwork:
    """Workers that need a given time for each job, on a clock of their own."""

    def __init__(self, seconds, capacity):
        self.seconds, self.n, self.clock = seconds, capacity, 0.0
        self.ends, self.log = {}, []

    def capacity(self):
        return self.n

    def start(self, job):
        assert len(self.ends) < self.n
        self.ends[job] = self.clock + self.seconds[job]
        self.log.append((self.clock, job))

    def wait(self):
        job = min(self.ends, key=self.ends.get)
        self.clock = self.ends.pop(job)
        return job, f"{job} ended"


def taking_from(waiting):
    return lambda: waiting.popleft() if waiting else None


def test_each_job_starts_as_soon_as_a_worker_is_free():
    workers = Clockwork({"a": 5, "b": 1, "c": 2, "d": 1}, 2)
    ended = list(dispatch(workers, taking_from(deque("abcd"))))
    assert ended == [(job, f"{job} ended") for job in "bcda"]
    assert workers.log == [(0, "a"), (0, "b"), (1, "c"), (3, "d")]


def test_the_next_job_starts_before_the_outcome_is_consumed():
    workers = Clockwork({"a": 1, "b": 2}, 1)
    outcomes = dispatch(workers, taking_from(deque("ab")))
    assert next(outcomes)[0] == "a"
    assert workers.log == [(0, "a"), (1, "b")]


def test_a_job_that_comes_back_does_not_wait_for_the_others():
    waiting = deque(["long", "lost"])
    workers = Clockwork({"long": 100, "lost": 1}, 2)
    n_lost = 0
    for job, _ in dispatch(workers, taking_from(waiting)):
        if job == "lost" and n_lost < 3:
            n_lost += 1
            waiting.append("lost")
    assert workers.log == [(0, "long"), (0, "lost"), (1, "lost"), (2, "lost"), (3, "lost")]
    assert workers.clock == 100


def test_the_last_job_may_come_back():
    waiting, n = deque(["x"]), 0
    workers = Clockwork({"x": 1}, 1)
    for _ in dispatch(workers, taking_from(waiting)):
        n += 1
        if n < 4:
            waiting.append("x")
    assert n == 4


def test_new_workers_get_jobs_and_lost_ones_none():
    workers = Clockwork(dict.fromkeys(range(12), 1), 1)
    sizes = []
    for job, _ in dispatch(workers, taking_from(deque(range(12)))):
        sizes.append(len(workers.ends))
        workers.n = 4 if job < 4 else 2
    assert max(sizes) == 4
    assert sizes[-4:] == [2, 2, 1, 0]


def test_no_job_is_no_outcome():
    assert list(dispatch(Clockwork({}, 3), lambda: None)) == []
