"""The backends that compute the cells of a run: processes on this machine, a Dask cluster, or this process.

Each is an `Executor`: it takes a job from an iterator when it can run another one, and yields the outcomes in the
order in which the cells end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import msgspec

from relattr.errors import BadInput, RelattrError, is_refused_thread
from relattr.execution.determinism import seed_global_generators, set_threads
from relattr.execution.job import CompletedCell, Job, LostCell, Outcome
from relattr.execution.pool import CellPool
from relattr.execution.resources import available_cpus, resolve_device
from relattr.harness.limits import memory_share
from relattr.registry import Registry

Executor = Callable[[Iterable[Job]], Iterator[tuple[Job, Outcome]]]
StartCallback = Callable[[Job], None]
ProgressCallback = Callable[[Job, str, int, int], None]
"""Called with a running job, a description of its current step, the number of steps done, and their total number."""


def _ignore_start(job: Job) -> None:
    return None


def _ignore_progress(job: Job, description: str, done: int, total: int) -> None:
    return None


@contextlib.contextmanager
def local_executor(
    jobs: int,
    *,
    folders: Iterable[str] = (),
    preload: Iterable[str] = (),
    skip: Iterable[str] = (),
    on_progress: ProgressCallback = _ignore_progress,
    on_start: StartCallback = _ignore_start,
    on_warning: Callable[[str], None] = lambda text: None,
) -> Iterator[Executor]:
    """Run each cell in a separate process on this machine, ``jobs`` in parallel.

    ``folders`` has folders of plugins, and ``skip`` the plugins and modules that are not imported in advance (see
    `Registry.discover`). Cells that preload the same modules have one server process; ``preload`` is for jobs that name
    none. The callbacks are called from other threads.
    """
    folders, skip = list(folders), list(skip)
    pools: dict[tuple[str, ...], CellPool] = {}
    lock, closed = threading.Lock(), threading.Event()
    with contextlib.ExitStack() as stack:

        def pool_of(job: Job) -> CellPool:
            modules = job.preload or tuple(preload)
            with lock:
                if closed.is_set():
                    raise RelattrError("the run was stopped")
                if modules not in pools:
                    pools[modules] = stack.enter_context(CellPool(jobs, folders=folders, preload=modules, skip=skip))
                return pools[modules]

        def close() -> None:
            closed.set()
            with lock:
                running = list(pools.values())
            for pool in running:
                pool.close()

        def run_job(job: Job) -> tuple[Job, Outcome]:
            on_start(job)
            job = _with_default_resources(job, jobs)
            pool = pool_of(job)
            outcome = pool.run(job, lambda *progress: on_progress(job, *progress))
            while pool.warnings:
                on_warning(pool.warnings.pop())
            return job, outcome

        def execute(cells: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
            try:
                yield from _run_in_threads(run_job, cells, jobs, close)
            except RuntimeError as error:
                if not is_refused_thread(error):
                    raise
                raise RelattrError(
                    f"the system refuses a thread for each of {jobs} parallel cells (see ulimit -u); use --jobs 1"
                ) from error

        yield execute


@contextlib.contextmanager
def dask_executor(jobs: int, address: str = "", *, on_start: StartCallback = _ignore_start) -> Iterator[Executor]:
    """Run cells on the workers of a Dask cluster, at most ``jobs`` in parallel (0: one per thread of each worker).

    Without an address, a cluster of ``jobs`` single-threaded workers is started on this machine. Raises `BadInput` if
    the package distributed is not installed or no scheduler answers.
    """
    if importlib.util.find_spec("distributed") is None:
        raise BadInput("--backend dask needs the package distributed: pip install 'relattr[dask]'")
    import distributed
    from joblib import Parallel, delayed, parallel_config

    cluster, workers = None, 0
    try:
        if not address:
            workers = jobs or available_cpus()
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            )
        client = distributed.Client(cluster if cluster is not None else address, set_as_default=False, timeout=15)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"no Dask scheduler answers at {address or 'a local port'}: {error}") from error

    def execute(cells: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        submitted: dict[str, Job] = {}

        def calls() -> Iterator[Any]:
            for job in cells:
                submitted[job.cell.key] = job
                on_start(job)
                if workers:  # the workers share this machine; on a cluster each uses the machine it runs on
                    job = _with_default_resources(job, workers)
                yield delayed(run_on_dask_worker)(msgspec.msgpack.encode(job))

        # Dask runs the cell of a dead worker on another one, and gives up a cell that has killed three workers
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=60, pure=False):
            n_parallel = jobs or sum(client.nthreads().values()) or 1
            parallel = Parallel(
                n_jobs=n_parallel, return_as="generator_unordered", pre_dispatch=n_parallel, batch_size=1
            )
            results = parallel(calls())
        try:
            for content in results:
                key, outcome = msgspec.msgpack.decode(content, type=tuple[str, Outcome])
                yield submitted.pop(key), outcome
        except (distributed.scheduler.KilledWorker, distributed.client.FutureCancelledError) as error:
            for job in list(submitted.values()):
                yield job, LostCell(f"workers were lost: {error}".partition("\n")[0])

    try:
        yield execute
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def run_on_dask_worker(content: bytes) -> bytes:
    """Run one job, encoded as msgpack, in the process of a Dask worker, with a pool that later jobs share."""
    job = msgspec.msgpack.decode(content, type=Job)
    cells = available_cpus()
    with contextlib.suppress(ImportError, ValueError):
        from distributed import get_worker

        cells = get_worker().state.nthreads
    job = _with_default_resources(job, cells)
    with _shared_pool(job) as pool:
        outcome = pool.run(job)
    return msgspec.msgpack.encode((job.cell.key, outcome))


_pools: dict[tuple[Any, ...], CellPool] = {}
_pool_users: dict[tuple[Any, ...], int] = {}
_pools_lock = threading.Lock()


@contextlib.contextmanager
def _shared_pool(job: Job) -> Iterator[CellPool]:
    """The Dask worker's pool for the plugins of a job; pools for other plugins that are not in use are closed."""
    key = job.folders, job.preload
    with _pools_lock:
        if key not in _pools:
            for other in [other for other in _pools if not _pool_users[other]]:
                _pools.pop(other).close()
            _pools[key] = CellPool(0, folders=job.folders, preload=job.preload)
            _pool_users[key] = 0
        _pool_users[key] += 1
        pool = _pools[key]
    try:
        yield pool
    finally:
        with _pools_lock:
            _pool_users[key] -= 1


@contextlib.contextmanager
def inline_executor(registry: Registry, *, on_start: StartCallback = _ignore_start) -> Iterator[Executor]:
    """Run cells in this process, one after another, without limits: for debuggers, and on other systems than Linux."""
    from relattr.execution.evaluate import evaluate_cell
    from relattr.harness.provenance import record_provenance
    from relattr.run_settings import Run

    def execute(cells: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        for job in cells:
            on_start(job)
            device = resolve_device(job.device)
            job = msgspec.structs.replace(job, device=device, threads=job.threads or available_cpus())
            run = Run(seed=job.cell.seed, device=device, threads=job.threads)
            provenance = record_provenance(device, job.threads, job.origin)
            set_threads(job.threads)
            seed_global_generators(job.cell.seed)
            start = time.monotonic()
            result, arrays = evaluate_cell(job.cell, registry, job.fingerprints, provenance, run)
            result = msgspec.structs.replace(result, seconds=round(time.monotonic() - start, 3))
            yield job, CompletedCell(msgspec.json.encode(result), arrays.to_npz())

    yield execute


def _with_default_resources(job: Job, cells: int) -> Job:
    """The job, with an equal share of the CPUs and the memory where it names none; ``cells`` run in parallel."""
    threads = job.threads or max(1, available_cpus() // cells)
    return msgspec.structs.replace(job, threads=threads, limits=job.limits.with_defaults(memory_share(cells)))


def _run_in_threads(
    run: Callable[[Job], tuple[Job, Outcome]], cells: Iterable[Job], n_threads: int, close: Callable[[], None]
) -> Iterator[tuple[Job, Outcome]]:
    """Call ``run`` for each job, ``n_threads`` at the same time, and yield what it returns, in the order of completion.

    When a job has ended, the next one starts before its outcome is yielded: the consumer stores results while cells
    run. If the consumer or a job stops early, ``close`` is called in place of waiting for the running jobs.
    """
    remaining = iter(cells)
    exhausted = False
    with ThreadPoolExecutor(n_threads) as threads:
        try:
            running = {threads.submit(run, job) for job in itertools.islice(remaining, n_threads)}
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {threads.submit(run, job) for job in itertools.islice(remaining, len(ended))}
                for future in ended:
                    yield future.result()
            exhausted = True
        finally:
            if not exhausted:
                close()


__all__ = ["Executor", "ProgressCallback", "dask_executor", "inline_executor", "local_executor", "run_on_dask_worker"]
