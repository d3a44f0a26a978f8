"""A Dask cluster of local worker processes gives the same rows as the local backend."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only"),
    pytest.mark.slow,
]

ROOT = Path(__file__).parents[3]
spec = importlib.util.spec_from_file_location("cluster_speed", ROOT / "benchmarks" / "speed" / "cluster.py")
assert spec is not None
assert spec.loader is not None
cluster_speed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cluster_speed)


@pytest.fixture
def start_cluster(workspace):
    """``start_cluster(n, **variables)``: a scheduler and n workers, with these environment variables."""
    with contextlib.ExitStack() as stack:

        def start(n_workers, **variables):
            environment = {**workspace.environment, "PYTHONWARNINGS": "default", **variables}
            return stack.enter_context(cluster_speed.loopback_cluster(workspace.folder, n_workers, environment))

        yield start


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
def test_rows_are_the_same_as_with_the_local_backend(workspace, start_cluster):
    address = start_cluster(2).address
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
def test_a_killed_worker_changes_no_row(workspace, start_cluster, record_start, wait_for):
    """One of four workers is killed in the middle: all rows are those of a run with --jobs."""
    noise = "self.r_ * (np.arange(len(images)) % 2)"
    workspace.write_method("short", record_start + "\nself.r_ = run.rng('x').random()\ntime.sleep(0.3)", noise=noise)
    workspace.write_benchmark(seeds=range(24))
    workspace.relattr("run", "--jobs", "2")
    expected = rows(workspace)
    shutil.rmtree(workspace.folder / "results")
    shutil.rmtree(workspace.folder / "marks")
    cluster = start_cluster(4)
    runner = workspace.start("run", "--backend", "dask", "--address", cluster.address)
    wait_for(lambda: len(workspace.n_starts) >= 8, 60)
    cluster.workers[0].send_signal(signal.SIGKILL)
    output = runner.communicate(timeout=100)
    assert runner.returncode == 0, output
    assert len(expected) == 24
    assert {row[0] for row in expected.values()} == {"ok"}
    assert rows(workspace) == expected
    # the cell of the killed worker, and those whose results were still on it, are computed again
    assert sum(workspace.n_starts.values()) <= 27


@pytest.mark.usefixtures("no_process_left")
def test_a_cell_that_dask_gives_up_costs_no_other_cell(workspace, start_cluster, record_start, wait_for):
    """The scheduler gives a cell up with its first worker: it is tried again, and the running cells are not."""
    workspace.write_method("short", record_start + "\ntime.sleep(0.5)")
    workspace.write_benchmark(seeds=range(16))
    cluster = start_cluster(4, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    runner = workspace.start("run", "--backend", "dask", "--address", cluster.address)
    wait_for(lambda: len(workspace.n_starts) >= 8, 60)
    cluster.workers[0].send_signal(signal.SIGKILL)
    _, errors = runner.communicate(timeout=100)
    assert runner.returncode == 0, errors
    attempts = [json.loads(path.read_bytes())["attempts"] for path in (workspace.folder / "results").rglob("*.json")]
    assert len(attempts) == 16
    assert set(attempts) <= {1, 2}
    assert errors.count("it is tried again") == attempts.count(2) <= 1


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
