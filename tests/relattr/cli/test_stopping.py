"""Ctrl-C and SIGTERM end a run, whatever it is doing when they come."""

import signal
import time

import pytest

from relattr.cli import matrix


class Interrupted:
    """An object in whose destructor a signal arrives, as in a lock's or a socket's."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_in_a_destructor_is_not_lost(number):
    def interrupted():
        with matrix._stoppable():
            some = Interrupted(number)
            del some
            time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_other_faults_of_destructors_are_reported_as_usual(capsys, monkeypatch):
    import sys

    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    class Faulty:
        def __del__(self):
            raise ValueError("of a destructor")

    with matrix._stoppable():
        some = Faulty()
        del some
    assert [str(one.exc_value) for one in seen] == ["of a destructor"]
    assert sys.unraisablehook == seen.append
