"""Ctrl-C and SIGTERM stop a run, whatever it is doing when they arrive."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from relattr.cli.interrupt import stop_on_signals


class SignalInDestructor:
    """An object in whose destructor a signal arrives, as can happen in those of locks and sockets."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
