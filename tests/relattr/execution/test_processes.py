"""Process trees: descendants, memory, and complete termination."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def test_a_tree_with_orphans_is_killed_completely():
    code = """
import os, time
from relattr.execution import processes
processes.set_child_subreaper()
spared = os.fork()
if spared == 0: time.sleep(60); os._exit(0)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        for _ in range(3):
            if os.fork() == 0: time.sleep(60); os._exit(0)
        os._exit(0)
while len(processes.children(os.getpid())) < 16: time.sleep(0.01)  # the 15 orphans are adopted
before = processes.descendants(os.getpid())
assert processes.resident_memory(before) > processes.proportional_memory(before) > 0
assert spared not in processes.descendants(os.getpid(), spare=[spared])
killed = processes.kill_descendants(os.getpid(), spare=[spared])
print(killed >= 15, processes.descendants(os.getpid()) == [spared])
print(processes.kill_descendants(os.getpid()), processes.descendants(os.getpid()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True True\n1 []\n", done.stderr


def test_processes_forked_during_the_killing_are_killed_too():
    code = """
import os, time
from relattr.execution import processes
processes.set_child_subreaper()
if os.fork() == 0:
    for _ in range(300):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        time.sleep(0.002)
    os._exit(0)
time.sleep(0.1)
processes.kill_descendants(os.getpid())
print(processes.descendants(os.getpid()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_each_thread_of_this_process_has_a_name():
    from relattr.execution.processes import thread_names

    assert len(thread_names()) == len(os.listdir("/proc/self/task"))


def test_adopted_processes_are_known_by_their_session():
    code = """
import os, subprocess, sys, time
from relattr.execution import processes
processes.set_child_subreaper()
own = subprocess.Popen(["sleep", "60"])
server = subprocess.Popen([sys.executable, "-c",
    "import os, subprocess, time\\n"
    "os.setsid() if os.fork() == 0 else None\\n"  # a cell
    "subprocess.Popen(['sleep', '61'], env={}, start_new_session=True)\\n"
    "print(flush=True); time.sleep(60)"], start_new_session=True, stdout=subprocess.PIPE)
server.stdout.readline(); server.stdout.readline()
assert processes.adopted(spare=[server.pid]) == []
server.kill(); server.wait()
orphans = processes.adopted()
print(len(orphans) == 3, own.pid not in orphans)
for pid in orphans: os.kill(pid, 9)
own.kill()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True True\n", done.stderr


def test_a_refused_fork_is_repeated(monkeypatch):
    import errno

    from relattr.execution import processes

    attempts = []

    def fork(*, successful):
        attempts.append(True)
        if len(attempts) < successful:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return 123

    monkeypatch.setattr(os, "fork", lambda: fork(successful=3))
    assert processes.fork_patiently() == 123
    assert len(attempts) == 3
    monkeypatch.setattr(os, "fork", lambda: fork(successful=10**9))
    with pytest.raises(processes.ProcessRefused, match="Resource temporarily unavailable"):
        processes.fork_patiently(0.05)


def test_what_imported_code_did_to_signals_is_undone():
    code = """
import signal
from relattr.execution import processes
for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1): signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
signal.setitimer(signal.ITIMER_REAL, 100)
processes.restore_defaults()
print([signal.getsignal(n).name for n in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE)])
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(signal.getitimer(signal.ITIMER_REAL))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "['SIG_DFL', 'SIG_DFL', 'SIG_DFL', 'SIG_IGN']\nTrue set()\n(0.0, 0.0)\n", done.stderr


def test_a_stopped_process_is_resumed(wait_for):
    import signal
    from pathlib import Path

    from relattr.execution import processes

    def state():
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: state() == "T")
        processes.resume_if_stopped(process.pid)
        wait_for(lambda: state() != "T")
        process.kill()
    processes.resume_if_stopped(process.pid)  # it has ended
