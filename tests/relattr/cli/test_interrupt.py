"""Ctrl-C, SIGTERM and SIGHUP stop a command, whatever it is doing when they arrive, and leave no temporary file."""

from __future__ import annotations

import signal
import sys
import time

import click
import pytest

from relattr import cli
from relattr.cli.interrupt import stop_on_signals
from relattr.system.atomic import atomic_replace

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class SignalInDestructor:
    """An object in whose destructor a signal arrives, as can happen in those of locks and sockets."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_a_destructor_is_not_lost(number):
    def interrupted():
        with stop_on_signals():
            item = SignalInDestructor(number)
            del item
            time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_other_errors_in_destructors_are_reported_as_usual(capsys, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)

    class Faulty:
        def __del__(self):
            raise ValueError("in a destructor")

    with stop_on_signals():
        item = Faulty()
        del item
    assert [str(error.exc_value) for error in reported] == ["in a destructor"]
    assert sys.unraisablehook == reported.append


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_twice_in_destructors_is_not_lost(number):
    def interrupted():
        with stop_on_signals():
            for _ in range(2):
                item = SignalInDestructor(number)
                del item
            time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_is_stopped_leaves_what_was_there(tmp_path, monkeypatch, capsys, number):
    file = tmp_path / "page.html"
    file.write_text("earlier")

    @click.command()
    def report():
        with atomic_replace(file) as temporary:
            temporary.write_text("half of it")
            signal.raise_signal(number)

    before = [signal.getsignal(each) for each in SIGNALS]
    monkeypatch.setattr(cli, "cli", lambda standalone_mode: report.main([], standalone_mode=standalone_mode))
    assert cli._run() == 130
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert file.read_text() == "earlier"
    assert [signal.getsignal(each) for each in SIGNALS] == before
    assert capsys.readouterr().err.strip().startswith("stopped; no file is half-written")


def test_a_signal_that_is_ignored_stays_ignored():
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)
