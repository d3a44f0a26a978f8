"""`relattr status` shows everything on the data of a benchmark: failures and other parameters too."""

from __future__ import annotations

import re


def test_failures_and_other_parameters_are_shown(workspace):
    workspace.write_method("plain", parameters="rate: int = 1")
    workspace.write_method("broken", "raise ValueError('it is broken')")
    workspace.write_benchmark()
    workspace.relattr("run", "--set", "plain.rate=2", code=1)
    output = workspace.relattr("status", "--verbose")
    assert re.search(r"failed +broken +tiny/a0/standard.*ValueError: it is broken", output)
    assert re.search(r"done +plain +rate=2 +tiny", output)
    assert re.search(r"missing +plain +tiny", output)
    assert "3 cells: 1 done, 1 failed, 1 missing" in output
    assert "Traceback (most recent call last)" in output
