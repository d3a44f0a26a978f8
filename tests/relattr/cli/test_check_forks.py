"""A plugin that ends the process in which it is checked has failed, and the next ones are checked."""

from __future__ import annotations

import os
import sys

import pytest

from relattr.check.law import CheckResult
from relattr.cli.check import _check_in_forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


class FakeCheck:
    """A check that does something when it is run."""

    class law:
        name, statement = "a-law", "It holds."

    def __init__(self, action):
        self.action = action

    def run(self):
        return CheckResult(self.law, self.action(), "")


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
    assert "exits  FAILED          its code ended the process with exit code 0" in output
    assert output.count("fails  FAILED") == 2
    assert "killed  FAILED          its code ended the process by signal 9" in output
