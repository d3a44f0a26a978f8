"""Faulty cells in real processes: each becomes a row, and no process or file is left behind."""

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
        "limit 400M",
    ),
    "children-allocate": (
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        kept = bytearray(os.urandom(1) * (120 << 20))\n"
        "        time.sleep(60)\ntime.sleep(60)",
        "memory",
        "limit 400M",
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
def test_each_faulty_cell_is_a_row_and_the_others_finish(workspace):
    for name, (body, _, _) in BAD.items():
        workspace.write_method(name, body)
    for name in GOOD:
        workspace.write_method(name)
    workspace.methods.sort()  # correct and faulty ones mixed
    limits = '[limits]\ntime = "3s"\nmemory = "400M"\nfile = "50M"\n'
    for name in PATIENT:  # these need time to fail, so a busy machine must not end them by the shorter limit
        limits += f'[method_limits.{name}]\ntime = "60s"\n'
    workspace.write_benchmark(more=limits)
    output = workspace.relattr("run", "--jobs", "2", code=1, timeout=400)
    rows = {}
    for path in (workspace.folder / "results").rglob("*.json"):
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
            assert re.search(rf"^{status}: .*\b{name} on tiny/a0/standard, seed 0", output, re.MULTILINE), name
    for name in GOOD:
        assert rows[name]["status"] == "ok"
        assert rows[name]["tests"][0]["n_correct"] == 190
        assert rows[name]["peak_memory_bytes"] > 1 << 20
    assert "in fit" in rows["hangs"]["traceback"]  # where it was when it was terminated
    assert "in fit" in rows["segfaults"]["traceback"]
    assert "ValueError" in rows["raises"]["traceback"]
    # three that outlive the cell, and their parents that had not ended yet
    assert any(re.search(r"left [3-6] processes", text) for text in rows["leaves-children"]["warnings"])
    assert rows["allocates"]["peak_memory_bytes"] > 400 << 20
    (log,) = (workspace.folder / "results").glob("tiny/prints/*.log")
    text = log.read_text()
    assert len(text) < 200_000
    assert "bytes left out" in text
    assert text.rstrip().endswith("the end")


@pytest.mark.usefixtures("no_process_left")
def test_output_warnings_and_threads(workspace):
    workspace.write_method(
        "talks",
        "import os, sys, warnings\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\nos.system('echo from a child')\n"
        "warnings.warn('be careful')\nwarnings.warn('be careful')\n"
        "print('threads', run.threads, os.environ['OMP_NUM_THREADS'])\nprint('input', sys.stdin.read())",
    )
    workspace.environment["PYTHONWARNINGS"] = "always"
    workspace.write_benchmark()
    output = workspace.relattr("run", "--threads", "3", "--verbose")
    (log,) = (workspace.folder / "results").glob("tiny/talks/*.log")
    for line in ("to stdout", "to stderr", "from a child", "be careful", "threads 3 3"):
        assert line in log.read_text()
    assert "warning: UserWarning: be careful" in output
    row = json.loads(log.with_suffix(".json").read_text())
    assert row["warnings"] == ["UserWarning: be careful"]
    assert row["provenance"]["threads"] == 3
    assert row["provenance"]["command"].endswith(str(workspace.plugins))
    assert "numpy" in row["provenance"]["versions"]


def test_global_generators_are_seeded_by_the_cell(workspace):
    for name in ("random-1", "random-2"):
        workspace.write_method(name, "import random, numpy as np\nprint(random.random() + np.random.rand())")
    workspace.write_benchmark(seeds=[0, 1])
    workspace.relattr("run")
    logs = {
        name: {json.loads(p.read_text())["cell"]["seed"]: p.with_suffix(".log").read_text() for p in paths}
        for name in ("random-1", "random-2")
        if (paths := list((workspace.folder / "results").glob(f"tiny/{name}/*.json")))
    }
    assert logs["random-1"] == logs["random-2"]
    assert logs["random-1"][0] != logs["random-1"][1]


@pytest.mark.usefixtures("no_process_left")
def test_an_interrupted_run_can_be_continued(workspace, record_start, wait_for):
    import signal

    workspace.write_method("quick", record_start)
    workspace.write_method("slow", record_start + "\ntime.sleep(60 if not pathlib.Path('go').exists() else 0)")
    workspace.write_benchmark(methods=["quick", "slow"])
    runner = workspace.start("run", "--jobs", "2")
    wait_for(
        lambda: (
            set(workspace.n_starts) == {"quick 0", "slow 0"}
            and list(workspace.folder.glob("results/tiny/quick/*.json"))
        )
    )
    runner.send_signal(signal.SIGINT)
    output = runner.communicate(timeout=15)[1]
    assert runner.returncode == 130, output
    (workspace.folder / "go").touch()
    workspace.relattr("run")
    assert workspace.n_starts == {"quick 0": 1, "slow 0": 2}


def test_killed_cells_are_retried_and_then_given_up(workspace, record_start):
    workspace.write_method("killed", record_start + "\nos.kill(os.getpid(), 9)")
    workspace.write_method("kills-supervisor", record_start + "\nos.kill(os.getppid(), 9)\ntime.sleep(30)")
    workspace.write_method("good")
    workspace.write_benchmark()
    output = workspace.relattr("run", code=1)
    assert workspace.n_starts == {"killed 0": 3, "kills-supervisor 0": 5}
    assert (
        "crashed: killed on tiny/a0/standard, seed 0: its process was killed from outside (SIGKILL), 3 times" in output
    )
    assert "its supervisor died, or was killed (SIGKILL), 5 times in a row" in output
    assert "[3/3]" in output


def test_progress_is_shown_while_a_cell_runs(workspace):
    import os
    import pty
    import subprocess

    workspace.write_method(
        "tracks",
        "import time\nimport numpy as np\nwith run.track('epochs', np.int64(20)) as advance:\n"
        "    for n in np.ones(20, np.int64):\n        time.sleep(0.05); advance(n)",  # NumPy integers are allowed
    )
    workspace.write_benchmark()
    terminal, stderr = pty.openpty()
    process = subprocess.Popen(
        workspace.command("run"),
        cwd=workspace.folder,
        env={**workspace.environment, "TERM": "xterm", "COLUMNS": "200"},
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    os.close(stderr)
    output = b""
    while True:
        try:
            output += os.read(terminal, 1 << 16)
        except OSError:
            break
    os.close(terminal)
    assert process.wait(60) == 0
    assert b"tracks on tiny/a0/standard, seed 0: epochs" in output
