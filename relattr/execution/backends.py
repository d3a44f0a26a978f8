"""Where the cells of a run are computed: here, in processes on this machine, or on a Dask cluster.

Each is an `Executor`: it draws cells from an iterator when it has room for one, and yields what they
came to in the order they end. joblib distributes; what it calls is the same for all of them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from relattr.errors import BadInput, RelattrError
from relattr.execution.determinism import seed_globals, set_threads
from relattr.execution.job import Done, Job, Lost, Outcome
from relattr.execution.pool import Pool
from relattr.execution.resources import processors, visible_gpus
from relattr.harness.limits import share_of_memory
from relattr.registry import Registry

Executor = Callable[[Iterable[Job]], Iterator[tuple[Job, Outcome]]]
Heard = Callable[[Job, str, int, int], None]


def _silent(job: Job, description: str, done: int, total: int) -> None:
    return None


@contextlib.contextmanager
def local(
    jobs: int,
    *,
    folders: Iterable[str] = (),
    preload: Iterable[str] = (),
    heard: Heard = _silent,
    started: Callable[[Job], None] = lambda job: None,
    warn: Callable[[str], None] = lambda text: None,
) -> Iterator[Executor]:
    """Cells in processes of their own on this machine, ``jobs`` at once."""
    with Pool(jobs, folders=list(folders), preload=list(preload)) as pool:

        def one(job: Job) -> tuple[Job, Outcome]:
            started(job)
            job = _with_its_share(job, jobs)
            outcome = pool.run(job, lambda *progress: heard(job, *progress))
            while pool.warnings:
                warn(pool.warnings.pop())
            return job, outcome

        def run(cells: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
            from joblib import Parallel, delayed

            # threads that wait for processes: the isolation is the pool's
            parallel = Parallel(
                n_jobs=jobs, backend="threading", return_as="generator_unordered", pre_dispatch=jobs, batch_size=1
            )
            yield from _closing(parallel(delayed(one)(job) for job in cells), pool.close)

        yield run


@contextlib.contextmanager
def dask(jobs: int, address: str = "", *, started: Callable[[Job], None] = lambda job: None) -> Iterator[Executor]:
    """Cells on the workers of a Dask cluster, at most ``jobs`` at once (0: one for each thread of a worker).

    Without an address, a cluster of ``jobs`` single-threaded workers is started on this machine.
    """
    if importlib.util.find_spec("distributed") is None:
        raise BadInput("--backend dask needs the package distributed: pip install 'relattr[dask]'")
    import distributed
    from joblib import Parallel, delayed, parallel_config

    cluster, workers = None, 0
    try:
        if not address:
            workers = jobs or processors()
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            )
        client = distributed.Client(cluster if cluster is not None else address, set_as_default=False, timeout=15)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"no Dask scheduler answers at {address or 'a local port'}: {error}") from error

    def run(cells: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        drawn: dict[str, Job] = {}

        def draw() -> Iterator[Any]:
            for job in cells:
                drawn[job.cell.key] = job
                started(job)
                if workers:  # they share one machine; on a cluster each finds what it has
                    job = _with_its_share(job, workers)
                yield delayed(on_worker)(msgspec.msgpack.encode(job))

        # dask gives the cell of a worker that died to another; one that killed three is given up
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=60, pure=False):
            n = jobs or sum(client.nthreads().values()) or 1
            parallel = Parallel(n_jobs=n, return_as="generator_unordered", pre_dispatch=n, batch_size=1)
            results = parallel(draw())
        try:
            for content in results:
                key, kind, fields = msgspec.msgpack.decode(content, type=tuple[str, str, list[Any]])
                yield drawn.pop(key), (Done(*fields) if kind == "done" else Lost(*fields))
        except (distributed.scheduler.KilledWorker, distributed.client.FutureCancelledError) as error:
            for job in list(drawn.values()):
                yield job, Lost(f"workers were lost: {error}".partition("\n")[0])

    try:
        yield run
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def on_worker(content: bytes) -> bytes:
    """Run one cell in the process of a Dask worker, through a pool that the worker keeps."""
    job = msgspec.msgpack.decode(content, type=Job)
    cells = processors()
    with contextlib.suppress(ImportError, ValueError):
        from distributed import get_worker

        cells = get_worker().state.nthreads
    job = _with_its_share(job, cells)
    with _pool_for(job) as pool:
        outcome = pool.run(job)
    kind = "lost" if isinstance(outcome, Lost) else "done"
    return msgspec.msgpack.encode((job.cell.key, kind, [getattr(outcome, f) for f in outcome.__struct_fields__]))


_pools: dict[tuple[Any, ...], Pool] = {}
_users: dict[tuple[Any, ...], int] = {}
_pools_lock = threading.Lock()


@contextlib.contextmanager
def _pool_for(job: Job) -> Iterator[Pool]:
    """The worker's pool for the plugins of this job; one that nobody uses makes room for it."""
    wanted = job.folders, job.preload
    with _pools_lock:
        if wanted not in _pools:
            for other in [key for key in _pools if not _users[key]]:
                _pools.pop(other).close()
            _pools[wanted] = Pool(0, folders=job.folders, preload=job.preload)
            _users[wanted] = 0
        _users[wanted] += 1
        pool = _pools[wanted]
    try:
        yield pool
    finally:
        with _pools_lock:
            _users[wanted] -= 1


@contextlib.contextmanager
def inline(registry: Registry, *, started: Callable[[Job], None] = lambda job: None) -> Iterator[Executor]:
    """Cells in this process, one after another, without limits: for debuggers, and where there is no Linux."""
    from relattr.execution.evaluate import evaluate_cell
    from relattr.harness.provenance import provenance
    from relattr.run import Run

    def run(cells: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        for job in cells:
            started(job)
            device = _device_here(job.device)
            job = msgspec.structs.replace(job, device=device, threads=job.threads or processors())
            circumstances = Run(seed=job.cell.seed, device=device, threads=job.threads)
            about = provenance(device, job.threads, job.origin)
            set_threads(job.threads)
            seed_globals(job.cell.seed)
            began = time.monotonic()
            result, arrays = evaluate_cell(job.cell, registry, job.fingerprints, about, circumstances)
            result = msgspec.structs.replace(result, seconds=round(time.monotonic() - began, 3))
            yield job, Done(msgspec.json.encode(result), arrays.to_npz())

    yield run


def _with_its_share(job: Job, cells: int) -> Job:
    """The job with an equal share of this machine, on which ``cells`` run at once, of what it does not name itself."""
    threads = job.threads or max(1, processors() // cells)
    return msgspec.structs.replace(job, threads=threads, limits=job.limits.over(share_of_memory(cells)))


def _device_here(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if visible_gpus() else "cpu"


def _closing(results: Iterator[Any], close: Callable[[], None]) -> Iterator[Any]:
    """Pass results on; when whoever takes them stops early, end what still runs instead of waiting for it."""
    ended = False
    try:
        yield from results
        ended = True
    finally:
        if not ended:
            close()
            with contextlib.suppress(Exception):
                results.close()  # type: ignore[attr-defined]


__all__ = ["Executor", "Heard", "RelattrError", "dask", "inline", "local", "on_worker", "processors"]
