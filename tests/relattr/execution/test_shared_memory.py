"""Memory that no process has mapped counts for the cell that has it open, and is removed with the cell."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from relattr.execution import shared_memory as module

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not os.access("/dev/shm", os.W_OK), reason="Linux with a writable /dev/shm only"
)

SIZE = 3 << 20


@pytest.fixture
def name():
    """The name of a file in /dev/shm that does not exist yet."""
    path = Path(module.FOLDER) / f"relattr-test-{os.getpid()}"
    yield path
    path.unlink(missing_ok=True)


def test_a_memfd_counts_while_it_is_open():
    shared = module.SharedMemory()
    assert shared.measure([os.getpid()]) == 0
    handle = os.memfd_create("test")
    os.write(handle, b"x" * SIZE)
    assert SIZE <= shared.measure([os.getpid()]) < SIZE + (1 << 20)
    copy = os.dup(handle)
    assert shared.measure([os.getpid(), os.getpid()]) < SIZE + (1 << 20)  # the same file counts once
    assert module.SharedMemory().measure([os.getpid()]) == 0  # one that was inherited is not the cell's
    os.close(handle)
    os.close(copy)
    assert shared.measure([os.getpid()]) == 0


def test_a_file_in_shared_memory_counts_and_is_removed(name):
    shared = module.SharedMemory()
    with name.open("wb") as file:
        file.write(b"x" * SIZE)
        file.flush()
        assert shared.measure([os.getpid()]) >= SIZE
    assert shared.measure([]) >= SIZE  # it has been closed, and still takes memory
    shared.remove()
    assert not name.exists()
    assert shared.measure([]) == 0


def test_a_file_that_existed_before_is_not_the_cells(name):
    name.write_bytes(b"x" * SIZE)
    shared = module.SharedMemory()
    with name.open("r+b"):
        assert shared.measure([os.getpid()]) == 0
    shared.remove()
    assert name.exists()


def test_a_file_of_another_program_is_left_alone(name):
    shared = module.SharedMemory()
    name.write_bytes(b"x" * SIZE)  # no process of the cell has it open
    assert shared.measure([]) == 0
    shared.remove()
    assert name.exists()


def test_segments_of_the_cells_processes_count_and_are_removed():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    shared = module.SharedMemory()
    identifier = libc.shmget(0, SIZE, 0o1600)
    if identifier < 0:
        pytest.skip("no System V shared memory here")
    try:
        address = libc.shmat(identifier, None, 0)
        ctypes.memset(address, 1, SIZE)
        libc.shmdt(ctypes.c_void_p(address))
        assert shared.measure([]) == 0  # created by a process that is not the cell's
        assert shared.measure([os.getpid()]) >= SIZE
        shared.remove()
        assert identifier not in [segment for segment, _, _ in module._segments()]
    finally:
        libc.shmctl(identifier, 0, None)


def test_trackers_of_shared_memory_may_end_by_themselves():
    import subprocess

    code = "import time; time.sleep(0.1)  # multiprocessing.resource_tracker"
    with subprocess.Popen([sys.executable, "-c", code]) as tracker, subprocess.Popen(["sleep", "60"]) as other:
        assert module.wait_for_trackers([tracker.pid, other.pid]) == [other.pid]
        assert not os.path.exists(f"/proc/{tracker.pid}")
        other.kill()
