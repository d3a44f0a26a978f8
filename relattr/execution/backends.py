"""The backends that compute the cells of a run: processes on this machine, a Dask cluster, or this process.

Each is an `Executor`: it asks for a job when it can run another one, and yields the outcomes in the order in which the
cells end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import msgspec

from relattr.errors import BadInput, RelattrError, is_refused_thread
from relattr.execution.determinism import seed_global_generators, set_threads
from relattr.execution.dispatch import Executor, NextJob, dispatch
from relattr.execution.job import CompletedCell, Job, LostCell, Outcome
from relattr.execution.pool import CellPool
from relattr.execution.resources import available_cpus, resolve_device
from relattr.harness.limits import Limits, memory_share
from relattr.registry import Registry

if TYPE_CHECKING:
    import distributed

PROBE_TIMEOUT = 60.0
"""Seconds within which a Dask cluster must have a worker."""
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
    share = memory_share(jobs)
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
            job = _with_default_resources(job, jobs, share)
            pool = pool_of(job)
            outcome = pool.run(job, lambda *progress: on_progress(job, *progress))
            while pool.warnings:
                on_warning(pool.warnings.pop())
            return job, outcome

        def execute(next_job: NextJob) -> Iterator[tuple[Job, Outcome]]:
            try:
                yield from _run_in_threads(run_job, next_job, jobs, close)
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
    the package distributed is not installed, no scheduler answers or no worker is connected to it.
    """
    if importlib.util.find_spec("distributed") is None:
        raise BadInput("--backend dask needs the package distributed: pip install 'relattr[dask]'")
    import distributed

    cluster, workers = None, 0
    place = address or "a local port"
    try:
        if not address:
            workers = jobs or available_cpus()
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            )
        client = distributed.Client(cluster if cluster is not None else address, set_as_default=False, timeout=15)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"no Dask scheduler answers at {place}: {error}") from error

    def prepare(job: Job) -> Job:
        on_start(job)
        # the workers of a local cluster share this machine; on another cluster each uses the machine it runs on
        return _with_default_resources(job, workers, memory_share(workers)) if workers else job

    def execute(next_job: NextJob) -> Iterator[tuple[Job, Outcome]]:
        try:
            client.submit(int, pure=False).result(PROBE_TIMEOUT)  # an adaptive cluster starts workers for a task only
        except TimeoutError:
            raise BadInput(
                f"the Dask scheduler at {place} has had no worker for {PROBE_TIMEOUT:g} s; start workers with `dask "
                "worker`"
            ) from None
        return dispatch(_DaskWorkers(client, jobs, prepare), next_job)

    try:
        yield execute
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


class _DaskWorkers:
    """The workers of a Dask cluster as `Workers`.

    The scheduler puts the cell of a dead worker on another one, and gives up a cell that has killed four workers (its
    setting ``allowed-failures``, 3 by default). That cell is lost; the others run on.
    """

    def __init__(self, client: distributed.Client, jobs: int, prepare: Callable[[Job], Job]) -> None:
        import distributed

        self._client, self._jobs, self._prepare = client, jobs, prepare
        self._running: dict[distributed.Future, Job] = {}
        self._ended = distributed.as_completed([], loop=client.loop, with_results=True, raise_errors=False)

    def capacity(self) -> int:
        if self._jobs:
            return self._jobs
        try:
            return max(1, sum(self._client.nthreads().values()))  # workers come and go
        except OSError as error:
            raise self._lost_scheduler() from error

    def start(self, job: Job) -> None:
        job = self._prepare(job)
        future = self._client.submit(run_on_dask_worker, msgspec.msgpack.encode(job), pure=False)
        self._running[future] = job
        self._ended.add(future)

    def wait(self) -> tuple[Job, Outcome]:
        import distributed

        future, content = next(self._ended)
        job = self._running.pop(future)
        if future.status == "finished":
            _, outcome = msgspec.msgpack.decode(content, type=tuple[str, Outcome])
            return job, outcome
        if future.status != "error":  # cancelled or lost
            raise self._lost_scheduler()
        error = future.exception()
        if isinstance(error, distributed.scheduler.KilledWorker):
            return job, LostCell(f"the workers that ran it were lost: {error}".partition("\n")[0])
        raise error

    def _lost_scheduler(self) -> RelattrError:
        return RelattrError(
            "the connection to the Dask scheduler was lost; finished cells are stored, and the same command continues "
            "from there"
        )


def run_on_dask_worker(content: bytes) -> bytes:
    """Run one job, encoded as msgpack, in the process of a Dask worker, with a pool that later jobs share."""
    job = msgspec.msgpack.decode(content, type=Job)
    cells = available_cpus()
    with contextlib.suppress(ImportError, ValueError):
        from distributed import get_worker

        cells = get_worker().state.nthreads
    job = _with_default_resources(job, cells, memory_share(cells))
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

    def execute(next_job: NextJob) -> Iterator[tuple[Job, Outcome]]:
        while (job := next_job()) is not None:
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


def _with_default_resources(job: Job, cells: int, share: Limits) -> Job:
    """The job, with an equal share of the CPUs, and of the memory, where it names none; ``cells`` run in parallel."""
    threads = job.threads or max(1, available_cpus() // cells)
    return msgspec.structs.replace(job, threads=threads, limits=job.limits.with_defaults(share))


class _ThreadWorkers:
    """Threads that call ``run`` for a job each, as `Workers`."""

    def __init__(self, run: Callable[[Job], tuple[Job, Outcome]], threads: ThreadPoolExecutor, n_threads: int) -> None:
        self._run, self._threads, self._n_threads = run, threads, n_threads
        self._ended: SimpleQueue[Future[tuple[Job, Outcome]]] = SimpleQueue()

    def capacity(self) -> int:
        return self._n_threads

    def start(self, job: Job) -> None:
        self._threads.submit(self._run, job).add_done_callback(self._ended.put)

    def wait(self) -> tuple[Job, Outcome]:
        return self._ended.get().result()


def _run_in_threads(
    run: Callable[[Job], tuple[Job, Outcome]], next_job: NextJob, n_threads: int, close: Callable[[], None]
) -> Iterator[tuple[Job, Outcome]]:
    """Call ``run`` for each job, ``n_threads`` at the same time, and yield what it returns, in the order of completion.

    If the consumer or a job stops early, ``close`` is called in place of waiting for the running jobs.
    """
    finished = False
    with ThreadPoolExecutor(n_threads) as threads:
        try:
            yield from dispatch(_ThreadWorkers(run, threads, n_threads), next_job)
            finished = True
        finally:
            if not finished:
                close()


__all__ = ["ProgressCallback", "dask_executor", "inline_executor", "local_executor", "run_on_dask_worker"]
