"""A plugin that ends the process in which it is checked has failed, and the next ones are checked."""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import pytest

from relattr.check.law import CheckResult
from relattr.cli.check import _check_in_forks, _check_plugin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


class FakeCheck:
    """A check that does something when it is run."""

    def __init__(self, action, law="a-law", detail=""):
        self.action, self.detail = action, detail
        self.law = SimpleNamespace(name=law, statement="It holds.")

    def run(self):
        return CheckResult(self.law, self.action(), self.detail)


def test_a_plugin_that_ends_its_process_has_failed(capfd):
    selected = {
        "passes": [FakeCheck(lambda: "passed")] * 2,
        "exits": [FakeCheck(lambda: "passed"), FakeCheck(lambda: os._exit(0)), FakeCheck(lambda: "failed")],
        "fails": [FakeCheck(lambda: "failed"), FakeCheck(lambda: "passed"), FakeCheck(lambda: "failed")],
        "killed": [FakeCheck(lambda: os.kill(os.getpid(), 9))],
    }
    assert _check_in_forks(selected) == 4
    output = capfd.readouterr().out
    assert output.count("passes  passed") == 2
    assert "exits  FAILED          its code ended the process with exit code 0 while the law a-law" in output
    assert output.count("fails  FAILED") == 2
    assert "killed  FAILED          its code ended the process by signal 9" in output


def test_a_plugin_that_hangs_has_failed_and_the_next_is_checked(capfd):
    selected = {
        "hangs": [FakeCheck(lambda: "passed"), FakeCheck(lambda: time.sleep(600), law="slow")],
        "passes": [FakeCheck(lambda: "passed")],
    }
    assert _check_in_forks(selected, 0.5) == 1
    output = capfd.readouterr().out
    assert "hangs  FAILED          it took longer than --time-limit 0.5 s while the law slow was checked" in output
    assert "passes  passed" in output


def test_one_error_that_breaks_several_laws_is_printed_once(capfd):
    trace = 'Traceback\n  File "plugin.py", line 7, in needs\nZeroDivisionError: of zero'
    checks = [FakeCheck(lambda: "failed", law, f"ZeroDivisionError: of zero\n{trace}") for law in ("a", "b", "c")]
    checks.append(FakeCheck(lambda: "failed", "d", "another"))
    assert _check_plugin("x", checks) == 4
    output = capfd.readouterr().out
    assert output.count("plugin.py") == 1
    assert "x  FAILED          b, c: by the same error as a" in output
    assert "another" in output
