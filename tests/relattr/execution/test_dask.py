"""A Dask cluster with two local worker processes gives the same rows as the local backend."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only"),
    pytest.mark.slow,
]


@pytest.fixture
def cluster(workspace):
    """The address of a scheduler, and its two worker processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    environment = {**workspace.environment, "PYTHONWARNINGS": "default"}
    log = (workspace.folder / "cluster.log").open("w")
    processes = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", *arguments], env=environment, stdout=log, stderr=log, cwd=workspace.folder
            )
        )
        return processes[-1]

    begin("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    workers = [
        begin(
            "distributed.cli.dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--name",
            f"w{k}",
            "--no-nanny",
            "--local-directory",
            str(workspace.folder / f"w{k}"),
        )
        for k in range(2)
    ]
    yield address, workers
    for process in reversed(processes):
        process.kill()
        process.wait()
    log.close()


def rows(workspace) -> dict[str, tuple]:
    stored = {}
    for path in (workspace.folder / "results").rglob("*.json"):
        row = json.loads(path.read_bytes())
        stored[row["cell"]["method"] + str(row["cell"]["seed"])] = (
            row["status"],
            json.dumps(row.get("tests")),
            row.get("arrays", {}) and row["arrays"]["sha256"],
            row["fingerprints"] == {},
            row.get("reason"),
        )
    return stored


@pytest.mark.usefixtures("no_process_left")
def test_rows_are_the_same_as_with_the_local_backend(workspace, cluster):
    address, _ = cluster
    workspace.write_method("learns", "self.r_ = run.rng('x').random()", noise="self.r_ * (np.arange(len(images)) % 2)")
    workspace.write_method("raises", "raise ValueError('no')")
    workspace.write_method("segfaults", "import ctypes\nctypes.string_at(0)")
    workspace.write_benchmark(seeds=range(4))
    output = workspace.relattr("run", "--backend", "dask", "--address", address, code=1)
    distributed = rows(workspace)
    for path in (workspace.folder / "results").rglob("*.json"):
        path.unlink()
    local = workspace.relattr("run", "--jobs", "2", code=1)
    assert len(distributed) == 12
    assert distributed == rows(workspace)
    assert re.split(r"\nfailed", output)[0].split("\n\n")[:3] == re.split(r"\nfailed", local)[0].split("\n\n")[:3]


@pytest.mark.usefixtures("no_process_left")
def test_a_killed_worker_loses_no_result(workspace, cluster, record_start, wait_for):
    address, workers = cluster
    workspace.write_method("short", record_start + "\ntime.sleep(0.3)")
    workspace.write_benchmark(seeds=range(16))
    runner = workspace.start("run", "--backend", "dask", "--address", address)
    wait_for(lambda: len(workspace.n_starts) >= 4, 60)
    os.kill(workers[0].pid, signal.SIGKILL)
    output = runner.communicate(timeout=100)
    assert runner.returncode == 0, output
    stored = rows(workspace)
    assert len(stored) == 16
    assert {row[0] for row in stored.values()} == {"ok"}
    # the cell of the killed worker, and those whose results were still on it, are computed again
    assert sum(workspace.n_starts.values()) <= 19


def test_without_an_address_a_local_cluster_starts(workspace):
    workspace.write_method("good")
    workspace.write_benchmark(seeds=range(3))
    workspace.relattr("run", "--backend", "dask", "--jobs", "2")
    assert len(rows(workspace)) == 3


def test_a_missing_scheduler_is_a_usage_error(workspace):
    workspace.write_method("good")
    workspace.write_benchmark()
    began = time.monotonic()
    output = workspace.relattr("run", "--backend", "dask", "--address", "tcp://127.0.0.1:9", code=2)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in output
    assert time.monotonic() - began < 60
    assert not Path(workspace.folder / "results" / "tiny").exists()
