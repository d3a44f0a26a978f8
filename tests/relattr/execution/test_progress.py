"""Progress that a method reports while it is fitted."""

from __future__ import annotations


def test_progress_may_be_counted_in_numpy_integers(workspace):
    workspace.write_method(
        "steps",
        "import numpy as np\nfrom relattr.progress import track\n"
        "with track('steps', np.int64(3)) as advance:\n"
        "    for n in np.ones(3, np.int64): advance(n)",
    )
    workspace.write_benchmark()
    workspace.relattr("run")
