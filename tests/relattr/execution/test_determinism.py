"""A cell uses as many threads as it is given, whichever libraries were loaded before."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import indent

import pytest

TOTAL = """
@numba.njit(parallel=True)
def total(x):
    result = 0.0
    for k in numba.prange(x.size):
        result += x[k]
    return result
"""

SCRIPT = f"""
import sys
import numba.np.ufunc.parallel
import torch
from relattr.execution.determinism import set_threads

set_threads(int(sys.argv[1]))
{TOTAL}

import numpy as np

assert total(np.ones(100)) == 100
print(numba.get_num_threads(), torch.get_num_threads(), torch.ones(3).sum().item())
"""

LIMITED = f"""
import sys
import numpy as np
from relattr.execution.determinism import limited_threads

for name in sys.argv[1].split():
    __import__(name)
before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else 2
with limited_threads(1):
    import numba
    import torch

{indent(TOTAL, "    ")}
    assert total(np.ones(100)) == 100
    limited = numba.get_num_threads(), torch.get_num_threads()
print(*limited, numba.get_num_threads(), torch.get_num_threads() == before)
"""


def run_script(script, argument, **variables):
    """The words that the script prints in a process with these numbers of threads in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    result = subprocess.run(
        [sys.executable, "-c", script, argument],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.split()


@pytest.mark.parametrize("threads", [1, 2])
def test_loops_of_numba_leave_the_number_of_threads_as_it_is(threads):
    """Numba starts its threads at the first parallel loop, and sets those of OpenMP, which torch uses too."""
    words = run_script(SCRIPT, str(threads), NUMBA_NUM_THREADS="2")
    assert words == [str(threads), str(threads), "3.0"]


@pytest.mark.parametrize("loaded", ["", "torch"])
def test_a_limit_holds_for_libraries_loaded_in_its_block(loaded):
    words = run_script(LIMITED, loaded, NUMBA_NUM_THREADS="2", OMP_NUM_THREADS="2")
    assert words == ["1", "1", "2", "True"]
