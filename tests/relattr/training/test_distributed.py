"""Data-parallel training: two processes end with the same weights, which differ from those of one process."""

from __future__ import annotations

import importlib
import os
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
from test_trainer import digest, fit, training
net, curve = fit(training())
Path({out!r}, os.environ["RANK"]).write_text(digest(net))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gloo needs the environment of torchrun as on Linux")
def test_two_processes_end_with_the_same_weights(tmp_path, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(tests=str(Path(__file__).parent), out=str(tmp_path)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # the variables that torchrun sets, without its own process
    torchrun = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(program)],
            env={**os.environ, **torchrun, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    monkeypatch.syspath_prepend(Path(__file__).parent)
    trainer = importlib.import_module("test_trainer")
    alone, _ = trainer.fit(trainer.training())
    try:
        for process in processes:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes:
            process.kill()
    first, second = ((tmp_path / name).read_text() for name in ("0", "1"))
    assert first == second
    assert first != trainer.digest(alone)
