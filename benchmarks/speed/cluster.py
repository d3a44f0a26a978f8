"""Compare a Dask cluster of four workers, one of which is killed, with ``--jobs 4`` on the same cells.

    pip install '.[dask,deep]' && python benchmarks/speed/cluster.py --out benchmarks/speed/cluster.md

A part of the benchmark `quick` runs three times: with ``--jobs 4``; on a scheduler and four workers that are separate
processes on this machine and reach each other over loopback; and on such a cluster of which one worker is killed with
SIGKILL when a third of the results is there. The rows of all three must be the same. The time is that of the command,
from its start to its end, without the start of the cluster; features are in the cache.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

METHODS = ("chance", "ranksvm-hog2x2", "ranksvm-alexnet-fc6", "ranksvm-alexnet-fc7", "parikh-grauman-cnn")
HEADER = ("cells run", "seconds", "relative", "results", "rows that differ", "worker killed after")


class Cluster(NamedTuple):
    """A scheduler and its workers, each a process."""

    address: str
    workers: Sequence[subprocess.Popen[bytes]]


@contextlib.contextmanager
def loopback_cluster(folder: Path, n_workers: int, environment: Mapping[str, str]) -> Iterator[Cluster]:
    """Start a scheduler and workers with one thread each; they are killed at the end. Their output is in ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    processes: list[subprocess.Popen[bytes]] = []
    with (folder / "cluster.log").open("w") as log:

        def start(module: str, *arguments: str) -> None:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--no-dashboard"]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder))

        try:
            start("dask_scheduler", "--host", "127.0.0.1", "--port", port)
            for k in range(n_workers):
                local = ("--name", f"w{k}", "--local-directory", str(folder / f"w{k}"))
                start("dask_worker", address, "--nthreads", "1", "--memory-limit", "0", "--no-nanny", *local)
            yield Cluster(address, processes[1:])
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


class Measured(NamedTuple):
    """One run."""

    seconds: float
    rows: dict[str, tuple[Any, ...]]
    """What does not depend on time, by the cell's key."""
    killed_after: int = 0
    """The number of results at the time when a worker was killed."""


def run_cells(
    folder: Path,
    environment: Mapping[str, str],
    seeds: int,
    options: Sequence[str],
    victim: subprocess.Popen[bytes] | None = None,
) -> Measured:
    """Run the cells with these options, and kill a process when a third of the results is there."""
    results = folder / "results"
    command = [sys.executable, "-c", "from relattr.cli import main; main()", "run", "quick", "--quiet"]
    command += [word for method in METHODS for word in ("--methods", method)]
    command += [word for seed in range(seeds) for word in ("--seeds", str(seed))]
    start = time.perf_counter()
    with (folder / "run.log").open("w+") as log:
        process = subprocess.Popen(
            [*command, *options, "--results", str(results)], env=environment, stdout=log, stderr=log, cwd=folder
        )
        killed_after = 0
        while process.poll() is None:
            time.sleep(0.05)
            if victim is not None and not killed_after:
                n = len(list(results.glob("*/*/*.json")))
                if n >= len(METHODS) * 4 * seeds // 3:
                    victim.send_signal(signal.SIGKILL)
                    killed_after = n
        took = time.perf_counter() - start
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{log.read()[-3000:]}")
    return Measured(took, stored_rows(results), killed_after)


def stored_rows(results: Path) -> dict[str, tuple[Any, ...]]:
    """What the results say apart from times, machine and attempts, by the cell's key."""
    from relattr.harness.result import Result
    from relattr.harness.store import Store

    stored = list(Store(results))
    unreadable = [item for item in stored if not isinstance(item, Result)]
    if unreadable:
        raise SystemExit(f"not a result: {unreadable[0]}")
    return {
        row.cell.key: (row.status, row.reason, row.tests, row.arrays, row.fitted, row.fingerprints)
        for row in stored
        if isinstance(row, Result)
    }


def measure(folder: Path, seeds: int, n_workers: int) -> dict[str, Measured]:
    """Run the cells in each way."""
    environment = {**os.environ, "RELATTR_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    folders = {name: folder / name for name in ("warm", "jobs", "cluster", "killed")}
    for each in folders.values():
        each.mkdir(parents=True)
    jobs = ["--jobs", str(n_workers)]
    run_cells(folders["warm"], environment, 1, jobs)  # fills the cache
    measured = {f"`--jobs {n_workers}`": run_cells(folders["jobs"], environment, seeds, jobs)}
    for name, label in (("cluster", "Dask, {} workers"), ("killed", "Dask, {} workers, one killed")):
        with loopback_cluster(folders[name], n_workers, environment) as cluster:
            wait_for_workers(cluster)
            victim = cluster.workers[0] if name == "killed" else None
            options = ["--backend", "dask", "--address", cluster.address]
            measured[label.format(n_workers)] = run_cells(folders[name], environment, seeds, options, victim)
    return measured


def wait_for_workers(cluster: Cluster) -> None:
    """Wait until all workers are connected to the scheduler."""
    import distributed

    with distributed.Client(cluster.address, set_as_default=False, timeout=60) as client:
        client.wait_for_workers(len(cluster.workers), timeout=60)


def main() -> None:
    """Measure; print and write the table."""
    from relattr.report.formats.markdown import pipe_table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="of each method on each of four attributes")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), args.seeds, args.workers)
    first = next(iter(measured.values()))
    cells = len(METHODS) * 4 * args.seeds
    rows = []
    for name, run in measured.items():
        n_different = sum(run.rows.get(key) != row for key, row in first.rows.items())
        values = [f"{run.seconds:.1f}", f"{run.seconds / first.seconds:.2f}", f"{len(run.rows)} of {cells}"]
        killed = f"{run.killed_after} results" if run.killed_after else ""
        rows.append([name, *values, str(n_different), killed])
    lines = pipe_table(HEADER, rows)
    about = (
        f"{cells} cells of `quick` ({', '.join(METHODS)}; {args.seeds} seeds), one thread each. Scheduler, workers and "
        f"command on one machine: {platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}, load {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end."
    )
    print(about, *lines, sep="\n")
    if args.out:
        from relattr.system.atomic import write_text

        command = f"python benchmarks/speed/cluster.py --seeds {args.seeds} --workers {args.workers}"
        title = f"# A cluster of {args.workers} workers, one of them killed"
        text = [title, "", f"`{command} --out benchmarks/speed/cluster.md`", "", about, "", *lines, ""]
        write_text(args.out, "\n".join(text))


if __name__ == "__main__":
    main()
