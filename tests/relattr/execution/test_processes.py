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
