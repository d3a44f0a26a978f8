"""A cell uses as many threads as it is given, whichever libraries were loaded before."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import numba.np.ufunc.parallel
import torch
from relattr.execution.determinism import set_threads

set_threads(int(sys.argv[1]))


@numba.njit(parallel=True)
def total(x):
    result = 0.0
    for k in numba.prange(x.size):
        result += x[k]
    return result


import numpy as np

assert total(np.ones(100)) == 100
print(numba.get_num_threads(), torch.get_num_threads(), torch.ones(3).sum().item())
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_loops_of_numba_leave_the_number_of_threads_as_it_is(threads):
    """Numba starts its threads at the first parallel loop, and sets those of OpenMP, which torch uses too."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment["NUMBA_NUM_THREADS"] = "2"
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(threads)], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [str(threads), str(threads), "3.0"]
