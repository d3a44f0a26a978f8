"""Cells that do everything wrong, on real processes: each is its own row, and nothing is left behind."""

from __future__ import annotations

import json
import re
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only")

BAD = {
    "raises": ("raise ValueError('this is the reason')", "failed", "ValueError: this is the reason"),
    "hangs": ("import time\nwhile True: time.sleep(1)", "timeout", "longer than its limit of 3s"),
    "spins": ("while True: pass", "timeout", "longer than its limit of 3s"),
    "allocates": (
        "import numpy as np\nkept = []\nwhile True: kept.append(np.ones(1 << 21))",
        "memory",
        "more than its limit of 400M",
    ),
    "children-allocate": (
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        kept = bytearray(os.urandom(1) * (120 << 20))\n"
        "        time.sleep(60)\ntime.sleep(60)",
        "memory",
        "more than its limit of 400M",
    ),
    "exits": ("import os\nos._exit(3)", "crashed", "exit code 3"),
    "sys-exits": ("import sys\nsys.exit(4)", "crashed", "sys.exit(4)"),
    "segfaults": ("import ctypes\nctypes.string_at(0)", "crashed", "SIGSEGV"),
    "aborts": ("import os\nos.abort()", "crashed", "SIGABRT"),
    "leaves-children": (
        "import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork(): os._exit(0)\n"
        "        time.sleep(600)\n        os._exit(0)",
        "ok",
        "",
    ),
    "prints": ("import os\nfor _ in range(1 << 10): os.write(1, b'x' * (1 << 20))\nprint('the end')", "ok", ""),
    "fills-the-disk": (
        "import tempfile\nwith tempfile.TemporaryFile() as file:\n    for _ in range(1000): file.write(b'x' * (1 << 20))",
        "failed",
        "File too large",
    ),
    "writes-into-the-harness": (
        "import os\nfor k in range(3, 20):\n    try: os.write(k, b'rubbish' * 9)\n    except OSError: pass",
        None,
        "",
    ),
}
GOOD = ("good-1", "good-2", "good-3")
PATIENT = ("allocates", "children-allocate", "prints", "fills-the-disk")


@pytest.mark.slow
@pytest.mark.usefixtures("no_process_left")
def test_every_bad_cell_is_a_row_and_all_the_others_finish(place):
    for name, (body, _, _) in BAD.items():
        place.method(name, body)
    for name in GOOD:
        place.method(name)
    place.methods.sort()  # good and bad ones mixed
    limits = '[limits]\ntime = "3s"\nmemory = "400M"\nfile = "50M"\n'
    for name in PATIENT:  # these work for their end, so a busy machine must not end them first
        limits += f'[method_limits.{name}]\ntime = "60s"\n'
    place.benchmark(more=limits)
    said = place.relattr("run", "--jobs", "2", code=1, timeout=400)
    rows = {}
    for path in (place.folder / "results").rglob("*.json"):
        row = json.loads(path.read_text())
        rows[row["cell"]["method"]] = row
    assert set(rows) == {*BAD, *GOOD}
    for name, (_, status, reason) in BAD.items():
        row = rows[name]
        if status is not None:
            assert row["status"] == status, (name, row["reason"], row.get("traceback"))
        assert reason in row.get("reason", ""), (name, row.get("reason"))
        limit = 60 if name in PATIENT else 3
        assert row["seconds"] < limit + 5, name
        if status not in (None, "ok"):
            assert re.search(rf"^{status}: .*\b{name} on tiny/a0/standard, seed 0", said, re.MULTILINE), name
    for name in GOOD:
        assert rows[name]["status"] == "ok"
        assert rows[name]["tests"][0]["n_correct"] == 190
        assert rows[name]["peak_memory_bytes"] > 1 << 20
    assert "in fit" in rows["hangs"]["traceback"]  # where it was when it was stopped
    assert "in fit" in rows["segfaults"]["traceback"]
    assert "ValueError" in rows["raises"]["traceback"]
    # three that outlive the cell, and those of their parents that had not ended yet
    assert any(re.search(r"left [3-6] processes", text) for text in rows["leaves-children"]["warnings"])
    assert rows["allocates"]["peak_memory_bytes"] > 400 << 20
    (log,) = (place.folder / "results").glob("tiny/prints/*.log")
    text = log.read_text()
    assert len(text) < 200_000
    assert "bytes left out" in text
    assert text.rstrip().endswith("the end")


@pytest.mark.usefixtures("no_process_left")
def test_output_warnings_and_threads(place):
    place.method(
        "talks",
        "import os, sys, warnings\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\nos.system('echo from a child')\n"
        "warnings.warn('be careful')\nwarnings.warn('be careful')\n"
        "print('threads', run.threads, os.environ['OMP_NUM_THREADS'])\nprint('input', sys.stdin.read())",
    )
    place.environment["PYTHONWARNINGS"] = "always"
    place.benchmark()
    said = place.relattr("run", "--threads", "3", "--verbose")
    (log,) = (place.folder / "results").glob("tiny/talks/*.log")
    for line in ("to stdout", "to stderr", "from a child", "be careful", "threads 3 3"):
        assert line in log.read_text()
    assert "warned: UserWarning: be careful" in said
    row = json.loads(log.with_suffix(".json").read_text())
    assert row["warnings"] == ["UserWarning: be careful"]
    assert row["provenance"]["threads"] == 3
    assert row["provenance"]["command"].endswith(str(place.plugins))
    assert "numpy" in row["provenance"]["versions"]


def test_global_generators_are_seeded_by_the_cell(place):
    place.method("random", "import random, numpy as np\nself.r_ = random.random() + np.random.rand()\nprint(self.r_)")
    place.benchmark(seeds=[0, 1])
    logs = []
    for again in ("failed", "timeout"):
        place.relattr("run", "--retry", again)
        logs.append(sorted(p.read_text() for p in (place.folder / "results").glob("tiny/random/*.log")))
        for path in (place.folder / "results").rglob("*.json"):
            path.unlink()
    assert logs[0] == logs[1]
    assert logs[0][0] != logs[0][1]


@pytest.mark.usefixtures("no_process_left")
def test_a_stopped_run_leaves_nothing_and_goes_on(place, count, wait_for):
    import signal

    place.method("quick", count)
    place.method("slow", count + "\ntime.sleep(60 if not pathlib.Path('go').exists() else 0)")
    place.benchmark(methods=["quick", "slow"])
    runner = place.start("run", "--jobs", "2")
    wait_for(
        lambda: set(place.runs_of) == {"quick 0", "slow 0"} and list(place.folder.glob("results/tiny/quick/*.json"))
    )
    runner.send_signal(signal.SIGINT)
    said = runner.communicate(timeout=15)[1]
    assert runner.returncode == 130, said
    (place.folder / "go").touch()
    place.relattr("run")
    assert place.runs_of == {"quick 0": 1, "slow 0": 2}


def test_a_method_killed_from_outside_is_tried_again_and_given_up(place, count):
    place.method("killed", count + "\nos.kill(os.getpid(), 9)")
    place.benchmark()
    said = place.relattr("run", code=1)
    assert place.runs_of == {"killed 0": 3}
    assert "crashed: killed on tiny/a0/standard, seed 0: its process was killed from outside (SIGKILL), 3 times" in said


def test_a_method_that_kills_its_supervisor_is_given_up_too(place, count):
    place.method("parricide", count + "\nos.kill(os.getppid(), 9)\ntime.sleep(30)")
    place.method("good")
    place.benchmark()
    said = place.relattr("run", code=1)
    assert place.runs_of == {"parricide 0": 5}
    assert "its supervisor died, or was killed, 5 times in a row" in said
    assert "[2/2]" in said


def test_progress_is_heard_while_a_cell_runs(place):
    import os
    import pty
    import subprocess

    place.method(
        "tracks",
        "import time\nwith run.track('epochs', 40) as advance:\n    for _ in range(40):\n        time.sleep(0.05); advance(1)",
    )
    place.benchmark()
    mine, its = pty.openpty()
    process = subprocess.Popen(
        place.command("run"),
        cwd=place.folder,
        env={**place.environment, "TERM": "xterm", "COLUMNS": "200"},
        stdout=subprocess.DEVNULL,
        stderr=its,
    )
    os.close(its)
    said = b""
    while True:
        try:
            said += os.read(mine, 1 << 16)
        except OSError:
            break
    os.close(mine)
    assert process.wait(60) == 0
    assert b"tracks on tiny/a0/standard, seed 0: epochs" in said
