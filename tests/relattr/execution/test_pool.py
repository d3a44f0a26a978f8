"""The pool never waits for a server or a runner that does not answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from relattr.errors import RelattrError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells run in separate processes on Linux only")


def test_closing_does_not_wait_for_a_server_that_starts(tmp_path, monkeypatch, job, wait_for):
    from relattr.execution.pool import CellPool

    (tmp_path / "slow_import.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    pool = CellPool(1, preload=["slow_import"])
    errors = []

    def run():
        try:
            pool.run(job)
        except RelattrError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: pool.server_pid)
    start = time.monotonic()
    pool.close()
    thread.join(20)
    assert time.monotonic() - start < 20
    assert errors == ["the run was stopped"]


def test_a_server_ends_with_its_runner_despite_a_fork_of_it(wait_for):
    code = """
import os, signal, time
from relattr.execution.pool import CellPool
pool = CellPool(1)
pool._acquire_supervisor(0)
fork = os.fork()  # has copies of all connections, so the server sees none of them close
if fork == 0: time.sleep(60); os._exit(0)
print(pool.server_pid, fork, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        server, fork = map(int, runner.stdout.readline().split())
        try:
            wait_for(lambda: not is_running(server))
        finally:
            os.kill(fork, signal.SIGKILL)


def test_a_server_that_starts_while_orphans_are_killed_is_spared():
    code = """
import threading
from relattr.execution import processes
from relattr.execution.pool import CellPool
from relattr.execution.server_process import ServerProcess
ending, starting = ServerProcess(spare=()), CellPool(1)
find, nobody, looked = processes.adopted, 2**22 + 1, threading.Event()
def adopted(*, spare):
    found = find(spare=spare)
    looked.set()
    # one that cannot be killed, so that it is looked for again and again
    return [*found, nobody] if threading.current_thread() is thread else found
processes.adopted = adopted
thread = threading.Thread(target=ending._kill_orphans)
thread.start()
looked.wait()
try:
    starting._acquire_supervisor(0)  # raises an exception if the server was killed
    print("started" if thread.is_alive() else "too late")
finally:
    processes.adopted = find
    thread.join()
    starting.close()
    ending.stop()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "started\n", done.stderr


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
