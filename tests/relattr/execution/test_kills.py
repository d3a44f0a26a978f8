"""kill -9 of anything at any moment loses at most the cells in flight, and nothing is computed twice."""

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
def test_fifty_kills_at_random_moments(place, count):
    """Runs of 40 cells in which something is killed 50 times; table and rows are those of an undisturbed run."""
    place.method(
        "short",
        count + "\ntime.sleep(0.05)\nself.r_ = run.rng('x').random()",
        noise="self.r_ * 20 * (np.arange(len(images)) % 2)",
    )
    place.benchmark(seeds=range(SEEDS))
    undisturbed = place.relattr("run", "--jobs", "2")
    expected, table = _numbers(place), _table(undisturbed)
    assert place.runs_of == {f"short {seed}": 1 for seed in range(SEEDS)}

    rng = random.Random(7)
    kinds = ["runner"] * 10 + ["server"] * 12 + ["supervisor"] * 14 + ["cell"] * 14
    assert len(kinds) == KILLS
    rng.shuffle(kinds)
    _empty(place)
    runner = place.start("run", "--jobs", "2", "--quiet")
    for kind in kinds:
        victim = None
        while victim is None:
            victim = next(iter(rng.sample(found, 1)), None) if (found := _processes(runner.pid)[kind]) else None
            if runner.poll() is not None:  # all 40 are done: from the start again
                said = runner.communicate()
                assert runner.returncode == 0, said
                assert _numbers(place) == expected
                _empty(place)
                runner = place.start("run", "--jobs", "2", "--quiet")
        time.sleep(rng.random() * 0.2)
        finished, begun = set(_numbers(place)), place.runs_of
        with contextlib.suppress(ProcessLookupError):  # a cell may just have ended
            os.kill(victim, signal.SIGKILL)
        if kind == "runner":
            runner.communicate(timeout=20)
            assert runner.returncode == -signal.SIGKILL
            runner = place.start("run", "--jobs", "2", "--quiet")
        time.sleep(0.05)
        again = {cell for cell, n in place.runs_of.items() if n > begun.get(cell, 0) and _seed(cell) in finished}
        assert not again, f"after the {kind} was killed, finished cells were begun again: {again}"
    said = runner.communicate(timeout=120)
    assert runner.returncode == 0, said
    before = place.runs_of
    assert _table(place.relattr("run")) == table
    assert place.runs_of == before
    assert _numbers(place) == expected


def _processes(runner: int) -> dict[str, list[int]]:
    """The processes of a run by what they are: runner -> server -> supervisors -> cells."""
    servers = [pid for pid in children(runner) if b"harness.server" in _command(pid)]
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


def _empty(place) -> None:
    import shutil

    for name in ("results", "marks"):
        shutil.rmtree(place.folder / name, ignore_errors=True)


def _numbers(place) -> dict[str, tuple]:
    """Seed -> what the cell came to."""
    found = {}
    for path in (place.folder / "results").rglob("*.json"):
        row = json.loads(path.read_bytes())  # a torn file would fail here
        content = path.with_suffix(".npz").read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["arrays"]["sha256"], path
        # the numbers themselves, to the last bit: how the file packs them is no part of what a cell came to
        with np.load(io.BytesIO(content)) as arrays:
            values = {key: arrays[key].tobytes() for key in arrays.files}
        found[str(row["cell"]["seed"])] = row["status"], json.dumps(row["tests"]), str(sorted(values.items()))
    return found


def _table(said: str) -> str:
    return re.split(r"\d+ cells computed", said)[0]


@pytest.mark.usefixtures("no_process_left")
def test_two_runners_on_one_store_compute_every_cell_once(place, count):
    place.method("short", count + "\ntime.sleep(0.05)")
    place.benchmark(seeds=range(24))
    runners = [place.start("run", "--jobs", "2") for _ in range(2)]
    said = [runner.communicate(timeout=100) for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0], said
    assert place.runs_of == {f"short {seed}": 1 for seed in range(24)}
    computed = [int(re.search(r"(\d+) cells computed", out)[1]) for out, _ in said]  # type: ignore[index]
    assert sum(computed) == 24
    assert _table(said[0][0]) == _table(said[1][0])
    assert len(_numbers(place)) == 24


def test_a_runner_takes_over_what_another_one_leaves(place, count, wait_for):
    place.method("slow", count + "\ntime.sleep(60 if not pathlib.Path('go').exists() else 0)")
    place.benchmark()
    first = place.start("run")
    wait_for(lambda: place.runs_of == {"slow 0": 1})
    second = place.start("run")
    time.sleep(1.5)
    assert place.runs_of == {"slow 0": 1}
    assert "running" in place.relattr("status")
    (place.folder / "go").touch()
    first.kill()
    said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert place.runs_of == {"slow 0": 2}
    first.communicate()


def test_orphans_of_a_killed_runner_are_gone(place, wait_for, no_process_left):
    place.method(
        "forks",
        "import os, time, pathlib\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    time.sleep(600)\n"
        "pathlib.Path('begun').touch()\ntime.sleep(600)",
    )
    place.benchmark()
    for which in ("runner", "server", "supervisor"):
        (place.folder / "begun").unlink(missing_ok=True)
        runner = place.start("run")
        wait_for((place.folder / "begun").exists)
        (server,) = children(runner.pid)
        victim = {"runner": runner.pid, "server": server, "supervisor": children(server)[0]}[which]
        below = [pid for pid in descendants(runner.pid) if pid != server]
        assert len(below) >= 3
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda below=below: not any(_lives(pid) for pid in below), 8)
        runner.kill()
        runner.communicate()


def _lives(pid: int) -> bool:
    try:
        return not re.search(r"\nState:\s+Z", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return False
