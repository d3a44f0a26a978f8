"""What a small cell does only once in a process is done before cells are forked."""

from __future__ import annotations

import subprocess
import sys

from relattr.execution.warm_up import evaluate_small_cell

PROGRAM = """
import sys
from relattr.execution import supervisor, worker
from relattr.execution.warm_up import evaluate_small_cell
evaluate_small_cell()
before = set(sys.modules)
evaluate_small_cell()
print(sorted(set(sys.modules) - before))
"""


def test_the_small_cell_has_a_result():
    result = evaluate_small_cell()
    assert result.status == "ok", result.traceback
    assert [(t.n_ordered, t.n_correct, t.n_tied) for t in result.tests] == [(6, 0, 6)]  # of four equal strengths


def test_after_the_first_small_cell_nothing_is_imported():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
