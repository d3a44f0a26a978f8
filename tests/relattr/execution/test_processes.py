"""Messages, logs, process trees."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from relattr.execution import ipc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def test_messages_come_back_whatever_the_pieces():
    messages = [["result", b"\0" * 100_000, b""], {"a": 1}, "text", 5, []]
    stream = b"".join(ipc.pack(m) for m in messages)
    for step in (1, 3, 4096, len(stream)):
        parser = ipc.Parser()
        found = [m for k in range(0, len(stream), step) for m in parser.feed(stream[k : k + step])]
        assert found == messages


def test_rubbish_is_refused():
    with pytest.raises(ValueError, match="not a message"):
        list(ipc.Parser().feed(b"\xff" * 100))


def test_a_closed_connection_is_an_end():
    mine, its = socket.socketpair()
    with mine:
        its.sendall(ipc.pack("whole") + b"\0\0\0\x09half")
        its.close()
        assert ipc.receive(mine) == "whole"
        with pytest.raises(EOFError):
            ipc.receive(mine)


def test_a_log_keeps_beginning_and_end():
    from relattr.execution.supervisor import LOG_HEAD, LOG_TAIL, Log

    short = Log()
    short.feed(b"ab")
    short.feed("ü".encode())
    assert short.text() == "abü"
    for step in (1000, 70_000, 10_000_000):
        log, whole = Log(), b"".join(b"%09d\n" % k for k in range(100_000))
        for k in range(0, len(whole), step):
            log.feed(whole[k : k + step])
        text = log.text()
        assert text.startswith(whole[:LOG_HEAD].decode())
        assert text.endswith(whole[-LOG_TAIL:].decode())
        assert f"{len(whole) - LOG_HEAD - LOG_TAIL:,} bytes left out" in text


def test_a_tree_with_orphans_is_killed_whole():
    code = """
import os, sys, time
from relattr.harness import processes
processes.adopt_orphans()
keep = os.fork()
if keep == 0: time.sleep(60); os._exit(0)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        for _ in range(3):
            if os.fork() == 0: time.sleep(60); os._exit(0)
        os._exit(0)
time.sleep(0.3)
before = processes.descendants(os.getpid())
assert processes.resident(before) > processes.proportional(before) > 0
killed = processes.kill_below(os.getpid(), spare=[keep])
print(killed >= 15, processes.descendants(os.getpid()) == [keep])
print(processes.kill_below(os.getpid()), processes.descendants(os.getpid()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True True\n1 []\n", done.stderr


def test_processes_that_are_made_while_others_are_killed_are_killed_too():
    code = """
import os, time
from relattr.harness import processes
processes.adopt_orphans()
if os.fork() == 0:
    for _ in range(300):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        time.sleep(0.002)
    os._exit(0)
time.sleep(0.1)
processes.kill_below(os.getpid())
print(processes.descendants(os.getpid()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_threads_of_this_process_have_names():
    from relattr.execution.processes import thread_names

    assert len(thread_names()) == len(os.listdir("/proc/self/task"))
