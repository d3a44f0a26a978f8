"""Faults of plugins and of the system around a run: each costs its own cell, and nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from relattr.execution.processes import children, descendants

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="cells have processes of their own on Linux only"),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_process_left"),
]


USERS = pytest.mark.parametrize("user", ["current", "without a home"])
"""For the tests that also run as a user who owns only the working folder and has no home."""


@pytest.fixture
def become(workspace):
    """Return a function that makes the following commands run as a user; call it when all files are written."""

    def become(user):
        if user == "without a home":
            if os.geteuid() or not shutil.which("setpriv"):
                pytest.skip("only root can become another user, with setpriv")
            workspace.become_user_without_home()

    return become


def rows(workspace) -> dict[str, dict]:
    """The result of each method."""
    return {
        (row := json.loads(path.read_text()))["cell"]["method"]: row
        for path in (workspace.folder / "results").rglob("*.json")
    }


@pytest.mark.parametrize(
    "body",
    [
        "os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "for s in (signal.SIGCHLD, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)",
        "import atexit; atexit.register(os._exit, 0)",
        "import threading; threading.Thread(target=time.sleep, args=(1000,)).start()",
        "if '-c' in sys.argv[:1] and 'execution.server' in pathlib.Path('/proc/self/cmdline').read_text(): os._exit(0)",
        "signal.alarm(3)",
        "os.chdir('/'); sys.stdout = sys.stderr = None",
    ],
)
def test_a_plugin_cannot_end_the_run_at_import(workspace, body):
    """The others' cells finish, and the exit code says that one cell failed."""
    workspace.write_method("good")
    workspace.write_method("raises", "raise ValueError('x')")
    workspace.write_benchmark()
    (workspace.plugins / "aaa.py").write_text(f"import os, pathlib, signal, sys, time\n{body}\n")
    output = workspace.relattr("run", code=1)
    assert {name: row["status"] for name, row in rows(workspace).items()} == {"good": "ok", "raises": "failed"}, output
    assert "2 cells computed" in output


def test_nothing_survives_the_server_and_a_supervisor(workspace, wait_for):
    """Also a process in a session of its own, without any environment."""
    workspace.write_method(
        "hides",
        "import pathlib, subprocess, time\n"
        "if pathlib.Path('hidden').exists(): return\n"
        "child = subprocess.Popen(['sleep', '600'], env={}, start_new_session=True)\n"
        "pathlib.Path('hidden').write_text(str(child.pid))\ntime.sleep(60)",
    )
    workspace.write_benchmark()
    runner = workspace.start("run")
    hidden = workspace.folder / "hidden"
    wait_for(lambda: hidden.exists() and hidden.read_text())
    (server,) = children(runner.pid)
    killed = [server, *children(server)]
    assert int(hidden.read_text()) in descendants(runner.pid)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{hidden.read_text()}").exists(), 10)
    output = runner.communicate(timeout=60)
    assert runner.returncode == 0, output
    assert rows(workspace)["hides"]["attempts"] == 2


@USERS
def test_limits_hold_for_the_cell_of_a_stopped_supervisor(workspace, become, user):
    workspace.write_method("stops", "import os, signal, time\nos.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(60)")
    workspace.write_method(
        "stops-again",
        "import os, signal, time\nend = time.monotonic() + 60\n"
        "while time.monotonic() < end: os.kill(os.getppid(), signal.SIGSTOP)",
    )
    workspace.write_method("good")
    workspace.write_benchmark(more="[limits]\ntime = '2s'\n")
    become(user)
    workspace.relattr("run", "-j", "1", code=1)
    found = {name: (row["status"], row["attempts"]) for name, row in rows(workspace).items()}
    assert found == {"stops": ("timeout", 1), "stops-again": ("timeout", 1), "good": ("ok", 1)}


@USERS
def test_shared_memory_counts_and_is_removed(workspace, become, user):
    name = f"/dev/shm/relattr-test-{os.getpid()}"
    workspace.write_method(
        "memfd",
        "import os, time\nh = os.memfd_create('x')\nfor _ in range(600): os.write(h, b'x' * (1 << 20))\ntime.sleep(30)",
    )
    workspace.write_method(
        "devshm",
        f"import time\nf = open({name!r}, 'wb')\nfor _ in range(600): f.write(b'x' * (1 << 20))\ntime.sleep(30)",
    )
    workspace.write_method(
        "leaks", f"import time\nf = open({name + '-2'!r}, 'wb')\nf.write(b'x' * 9999)\nf.flush()\ntime.sleep(0.5)"
    )
    workspace.write_benchmark(more="[limits]\ntime = '60s'\nmemory = '300M'\n")
    become(user)
    workspace.relattr("run", "-j", "1", code=1)
    found = {name: row["status"] for name, row in rows(workspace).items()}
    assert found == {"memfd": "memory", "devshm": "memory", "leaks": "ok"}
    assert not os.path.exists(name)
    assert not os.path.exists(name + "-2")


def test_results_that_vanish_in_mid_run_are_counted(workspace, wait_for):
    workspace.write_method(
        "waits",
        "import pathlib, time\npathlib.Path(f'at{run.seed}').touch()\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.02)" + "\n",
    )
    workspace.write_method("good")
    workspace.write_benchmark(methods=["good", "waits"])
    runner = workspace.start("run", "-j", "1")
    wait_for((workspace.folder / "at0").exists)
    shutil.move(workspace.folder / "results", workspace.folder / "elsewhere")
    (workspace.folder / "go").touch()
    output = "".join(runner.communicate(timeout=60))
    assert runner.returncode == 1, output
    assert "lost: good on tiny/a0/standard, seed 0: its result was stored and is not there any more" in output
    assert re.search(r"1 cells? computed, 0 already available, 1 without a valid result", output)


def test_refused_processes_are_tried_again(workspace):
    workspace.write_method("good")
    workspace.write_benchmark(seeds=range(3))
    (workspace.plugins / "aaa.py").write_text(
        "import os, pathlib\n"
        "if 'execution.server' in pathlib.Path('/proc/self/cmdline').read_text():\n"
        "    fork, counts = os.fork, [0]\n"
        "    def refuse():\n"
        "        counts[0] += 1\n"
        "        if counts[0] % 5: raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "        return fork()\n"
        "    os.fork = refuse\n"
    )
    output = workspace.relattr("run", "-j", "1")
    assert "the system refuses another process" in output
    found = [json.loads(path.read_text()) for path in (workspace.folder / "results").rglob("*.json")]
    assert [(row["status"], row["attempts"]) for row in found] == [("ok", 1)] * 3


@USERS
def test_a_plugin_that_misbehaves_when_asked_costs_its_own_cells(workspace, become, user):
    workspace.write_method("good")
    for name, body in (("number", "return 5"), ("exits", "import os; os._exit(0)"), ("dies", "import os; os.abort()")):
        (workspace.plugins / f"odd_{name}.py").write_text(
            "from relattr import register_dataset\nfrom .tiny import Tiny\n"
            f"@register_dataset('{name}', label='{name}')\nclass Odd(Tiny):\n    'Odd.'\n"
            f"    def fingerprint(self): {body}\n"
        )
    workspace.write_benchmark()
    path = workspace.folder / "bench.toml"
    path.write_text(path.read_text().replace("['tiny']", "['number', 'exits', 'dies', 'tiny']"))
    become(user)
    output = workspace.relattr("run", code=1)
    statuses = {
        row["cell"]["dataset"]: row["status"]
        for row in (json.loads(p.read_text()) for p in (workspace.folder / "results").rglob("*.json"))
    }
    assert statuses == {"number": "failed", "exits": "crashed", "dies": "crashed", "tiny": "ok"}, output
    output = workspace.relattr("status")
    assert "fingerprint() of dataset number gave 5 (int); expected text" in output
