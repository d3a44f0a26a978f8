"""Two processes under torchrun train one network: they end with the same weights, and not those of either alone."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from test_trainer import fit, training
net, curve = fit(training())
digest = sum(float(v.double().abs().sum()) for v in net.state_dict().values())
print("CURVE", len(curve), flush=True)
Path({out!r}, os.environ.get("RANK", "alone")).write_text(repr(digest))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gloo and torchrun as on Linux")
def test_two_processes_end_with_the_same_weights(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(tests=str(Path(__file__).parent), out=str(tmp_path)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-addr",
        "127.0.0.1",
        "--master-port",
        str(port),
        str(program),
    ]
    for command in (launch, [sys.executable, str(program)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    first, second, alone = ((tmp_path / name).read_text() for name in ("0", "1", "alone"))
    assert first == second
    assert first != alone
