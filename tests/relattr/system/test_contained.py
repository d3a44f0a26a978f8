"""Code in a fork: its answers arrive, and whatever else it does is an error of that question alone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

import pytest

from relattr.system import contained as module
from relattr.system.contained import Contained, ContainedError, ProcessEnded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def answer(question):
    """Double a number; a word is something to do instead."""
    if question == "raise":
        raise ValueError("bad \udcff " + "x" * 10_000_000)
    if question == "base":
        raise BaseException("no Exception")
    if question == "exit":
        os._exit(0)
    if question == "sys.exit":
        sys.exit(3)
    if question == "crash":
        ctypes.string_at(0)
    if question == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if question == "hang":
        time.sleep(1000)
    if question == "spin":
        while True:
            pass
    if question == "object":
        return object()
    if question == "close":
        sys._getframe(1).f_locals["connection"].close()
        time.sleep(1000)
    if question == "garbage":
        sys._getframe(1).f_locals["connection"].sendall(b"\xff" * 100)
        time.sleep(1000)
    return 2 * question


@pytest.fixture
def fork():
    with Contained(answer) as fork:
        yield fork


def test_answers_arrive_and_the_process_is_forked_once(fork):
    assert [fork.ask(k) for k in (1, "ab", [3], 2.5)] == [2, "abab", [3, 3], 5.0]
    pid = fork._pid
    assert fork.ask("x" * 1_000_000) == "x" * 2_000_000
    assert fork._pid == pid


@pytest.mark.parametrize(
    ("question", "text"),
    [("raise", "ValueError: bad"), ("base", "no Exception"), ("sys.exit", "SystemExit: 3"), ("object", "TypeError")],
)
def test_an_exception_is_an_error_and_the_process_goes_on(fork, question, text):
    fork.ask(1)
    pid = fork._pid
    with pytest.raises(ContainedError, match=text) as error:
        fork.ask(question)
    assert len(str(error.value)) < 5000
    str(error.value).encode()
    assert fork.ask(1) == 2
    assert fork._pid == pid


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("exit", "exit code 0"),
        ("crash", "SIGSEGV"),
        ("kill", "SIGKILL"),
        ("garbage", "not an answer"),
        ("close", "SIGKILL"),
    ],
)
def test_a_process_that_ends_is_replaced(fork, question, text):
    with pytest.raises(ProcessEnded, match=text):
        fork.ask(question)
    assert fork.ask(1) == 2


@pytest.mark.parametrize("question", ["hang", "spin"])
def test_a_process_that_does_not_answer_is_killed(fork, question, monkeypatch):
    monkeypatch.setenv(module.LIMIT_VARIABLE, "0.3")
    monkeypatch.setattr(module, "_LOOK_INTERVAL", 0.05)
    with pytest.raises(ProcessEnded, match="no answer after"):
        fork.ask(question)
    assert fork.ask(1) == 2


def test_a_process_that_reads_files_is_not_killed(monkeypatch, tmp_path):
    monkeypatch.setenv(module.LIMIT_VARIABLE, "0.3")
    monkeypatch.setattr(module, "_LOOK_INTERVAL", 0.05)
    (tmp_path / "file").write_text("text")

    def read(question):
        for _ in range(question):
            (tmp_path / "file").read_text()
            time.sleep(0.05)
        return question

    with Contained(read) as fork:
        assert fork.ask(16) == 16


def test_an_invalid_limit_is_an_error(fork, monkeypatch):
    monkeypatch.setenv(module.LIMIT_VARIABLE, "soon")
    with pytest.raises(module.RelattrError, match="RELATTR_PLUGIN_TIMEOUT='soon' is not valid"):
        fork.ask(1)
