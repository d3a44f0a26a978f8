"""What code changes in its process when it is imported is restored, and what it adds stays."""

from __future__ import annotations

import builtins
import gc
import os
import signal
import socket
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest

from relattr.system.unchanged import unchanged_package, unchanged_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def test_signals_timers_folder_and_streams_are_restored(tmp_path):
    folder, streams = os.getcwd(), (sys.stdin, sys.stdout, sys.stderr)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)}
    with unchanged_process():
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 100)
        os.chdir(tmp_path)
        sys.stdout = sys.stderr = None
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert (os.getcwd(), (sys.stdin, sys.stdout, sys.stderr)) == (folder, streams)


def test_a_closed_stream_is_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", open(os.devnull, encoding="latin-1", closefd=True))  # noqa: SIM115
    with unchanged_process():
        sys.stdin.close()
    assert not sys.stdin.closed
    assert sys.stdin.encoding == "latin-1"
    sys.stdin.close()


def test_settings_are_restored(monkeypatch):
    monkeypatch.setenv("RELATTR_ANY", "1")
    filters, collects, recursion, errors = list(warnings.filters), gc.isenabled(), sys.getrecursionlimit(), np.geterr()
    hook, length = sys.excepthook, len
    with unchanged_process():
        warnings.simplefilter("ignore")
        (gc.disable if collects else gc.enable)()
        sys.setrecursionlimit(recursion + 1)
        np.seterr(all="raise" if errors["over"] != "raise" else "ignore")
        sys.excepthook = builtins.len = lambda *arguments: 0
        socket.setdefaulttimeout(1.0)
        del os.environ["RELATTR_ANY"]
        os.environ["RELATTR_NEW"] = "1"
        mask = os.umask(0o777)
    assert (list(warnings.filters), gc.isenabled(), sys.getrecursionlimit()) == (filters, collects, recursion)
    assert np.geterr() == errors
    assert (sys.excepthook, len) == (hook, length)
    assert socket.getdefaulttimeout() is None
    assert os.environ["RELATTR_ANY"] == os.environ.pop("RELATTR_NEW") == "1"
    now = os.umask(mask)
    assert now == mask


def test_modules_and_finders_are_restored_and_new_ones_stay(monkeypatch):
    modules, finders = dict(sys.modules), list(sys.meta_path)
    with unchanged_process():
        sys.modules.clear()
        sys.modules["new_module"] = new = ModuleType("new_module")
        sys.meta_path.clear()
        sys.path.insert(0, "/new")
    assert sys.modules.pop("new_module") is new
    assert all(sys.modules[name] is module for name, module in modules.items())
    assert sys.meta_path == finders
    assert "/new" in sys.path
    sys.path.remove("/new")


def test_replaced_functions_of_a_package_are_restored(monkeypatch):
    module = ModuleType("some_package.module")

    class Thing:
        def size(self) -> int:
            return 1

    def double(x: int) -> int:
        return 2 * x

    Thing.__module__ = module.__name__
    vars(module).update(double=double, Thing=Thing, data=[1], counter=0)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with unchanged_package("some_package"):
        module.double = lambda x: 0
        Thing.size = lambda self: 7
        module.data.append(2)
        module.counter = 5
    assert module.double is double
    assert Thing().size() == 1
    assert (module.data, module.counter) == ([1, 2], 5)  # a registry may grow
