"""SIGKILL of any process at any time loses at most the running cells, and no finished cell is computed again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from relattr.execution.processes import children, descendants

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only")

KILLS = 50
SEEDS = 40


@pytest.mark.slow
@pytest.mark.usefixtures("no_process_left")
def test_fifty_kills_at_random_moments(workspace, record_start):
    """Table and rows after 50 kills of random processes are those of an undisturbed run."""
    workspace.write_method(
        "short",
        record_start + "\ntime.sleep(0.05)\nself.r_ = run.rng('x').random()",
        noise="self.r_ * 20 * (np.arange(len(images)) % 2)",
    )
    workspace.write_benchmark(seeds=range(SEEDS))
    undisturbed = workspace.relattr("run", "--jobs", "2")
    expected, table = _numbers(workspace), _table(undisturbed)
    assert workspace.n_starts == {f"short {seed}": 1 for seed in range(SEEDS)}

    rng = random.Random(7)
    kinds = ["runner"] * 10 + ["server"] * 12 + ["supervisor"] * 14 + ["cell"] * 14
    assert len(kinds) == KILLS
    rng.shuffle(kinds)
    _empty(workspace)
    runner = workspace.start("run", "--jobs", "2", "--quiet")
    for kind in kinds:
        victim = None
        while victim is None:
            victim = next(iter(rng.sample(pids, 1)), None) if (pids := _processes(runner.pid)[kind]) else None
            if runner.poll() is not None:  # all cells are done: start again
                output = runner.communicate()
                assert runner.returncode == 0, output
                assert _numbers(workspace) == expected
                _empty(workspace)
                runner = workspace.start("run", "--jobs", "2", "--quiet")
        time.sleep(rng.random() * 0.2)
        finished, starts = set(_numbers(workspace)), workspace.n_starts
        with contextlib.suppress(ProcessLookupError):  # a cell may just have ended
            os.kill(victim, signal.SIGKILL)
        if kind == "runner":
            runner.communicate(timeout=20)
            assert runner.returncode == -signal.SIGKILL
            runner = workspace.start("run", "--jobs", "2", "--quiet")
        time.sleep(0.05)
        again = {cell for cell, n in workspace.n_starts.items() if n > starts.get(cell, 0) and _seed(cell) in finished}
        assert not again, f"after the {kind} was killed, finished cells were started again: {again}"
    output = runner.communicate(timeout=120)
    assert runner.returncode == 0, output
    before = workspace.n_starts
    assert _table(workspace.relattr("run")) == table
    assert workspace.n_starts == before
    assert _numbers(workspace) == expected


def _processes(runner: int) -> dict[str, list[int]]:
    """The processes of a run by kind: runner -> server -> supervisors -> cells."""
    servers = [pid for pid in children(runner) if b"execution.server" in _command(pid)]
    supervisors = [pid for server in servers for pid in children(server)]
    cells = [pid for supervisor in supervisors for pid in children(supervisor)]
    return {"runner": [runner] if servers else [], "server": servers, "supervisor": supervisors, "cell": cells}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _seed(cell: str) -> str:
    return cell.rpartition(" ")[2]


def _empty(workspace) -> None:
    import shutil

    for name in ("results", "marks"):
        shutil.rmtree(workspace.folder / name, ignore_errors=True)


def _numbers(workspace) -> dict[str, tuple]:
    """Status, test results and arrays of each finished cell, by seed."""
    numbers = {}
    for path in (workspace.folder / "results").rglob("*.json"):
        row = json.loads(path.read_bytes())  # an incomplete file would raise an error
        content = path.with_suffix(".npz").read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["arrays"]["sha256"], path
        # compare the values bit by bit, but not the bytes of the file: compression may differ
        with np.load(io.BytesIO(content)) as arrays:
            values = {key: arrays[key].tobytes() for key in arrays.files}
        numbers[str(row["cell"]["seed"])] = row["status"], json.dumps(row["tests"]), str(sorted(values.items()))
    return numbers


def _table(output: str) -> str:
    return re.split(r"\d+ cells? computed", output)[0]


@pytest.mark.usefixtures("no_process_left")
def test_two_runners_on_one_store_compute_every_cell_once(workspace, record_start):
    workspace.write_method("short", record_start + "\ntime.sleep(0.05)")
    workspace.write_benchmark(seeds=range(12))
    runners = [workspace.start("run", "--jobs", "2") for _ in range(2)]
    output = [runner.communicate(timeout=100) for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0], output
    assert workspace.n_starts == {f"short {seed}": 1 for seed in range(12)}
    computed = [int(re.search(r"(\d+) cells? computed", out)[1]) for out, _ in output]  # type: ignore[index]
    assert sum(computed) == 12
    assert _table(output[0][0]) == _table(output[1][0])
    assert len(_numbers(workspace)) == 12


def test_a_runner_takes_over_the_cells_of_a_killed_one(workspace, record_start, wait_for):
    workspace.write_method("slow", record_start + "\ntime.sleep(60 if not pathlib.Path('go').exists() else 0)")
    workspace.write_benchmark()
    first = workspace.start("run")
    wait_for(lambda: workspace.n_starts == {"slow 0": 1})
    second = workspace.start("run")
    time.sleep(0.8)
    assert workspace.n_starts == {"slow 0": 1}
    assert "running" in workspace.relattr("status")
    (workspace.folder / "go").touch()
    first.kill()
    output = second.communicate(timeout=60)
    assert second.returncode == 0, output
    assert workspace.n_starts == {"slow 0": 2}
    first.communicate()


def test_descendants_of_killed_processes_are_killed(workspace, wait_for, no_process_left):
    workspace.write_method(
        "forks",
        "import os, time, pathlib\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    time.sleep(600)\n"
        "pathlib.Path('started').touch()\ntime.sleep(600)",
    )
    workspace.write_benchmark()
    for which in ("runner", "server", "supervisor"):
        (workspace.folder / "started").unlink(missing_ok=True)
        runner = workspace.start("run")
        wait_for((workspace.folder / "started").exists)
        (server,) = children(runner.pid)
        victim = {"runner": runner.pid, "server": server, "supervisor": children(server)[0]}[which]
        below = [pid for pid in descendants(runner.pid) if pid != server]
        assert len(below) >= 3
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda below=below: not any(_is_alive(pid) for pid in below), 8)
        runner.kill()
        runner.communicate()


def _is_alive(pid: int) -> bool:
    try:
        return not re.search(r"\nState:\s+Z", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return False
