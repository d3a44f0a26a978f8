"""What a supervisor stores of a cell's output, and which of its reports it passes on to the runner."""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection

import pytest

from relattr.execution import ipc
from relattr.execution.job import CellResult

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def test_a_log_stores_the_start_and_the_end():
    from relattr.execution.supervisor import LOG_HEAD_BYTES, LOG_TAIL_BYTES, OutputLog

    short = OutputLog()
    short.feed(b"ab")
    short.feed("ü".encode())
    assert short.text() == "abü"
    for step in (1000, 70_000, 10_000_000):
        log, output = OutputLog(), b"".join(b"%09d\n" % k for k in range(100_000))
        for k in range(0, len(output), step):
            log.feed(output[k : k + step])
        text = log.text()
        assert text.startswith(output[:LOG_HEAD_BYTES].decode())
        assert text.endswith(output[-LOG_TAIL_BYTES:].decode())
        assert f"{len(output) - LOG_HEAD_BYTES - LOG_TAIL_BYTES:,} bytes left out" in text


@pytest.fixture
def supervised(job):
    """A supervised cell that is not started, and the runner's end of its connection."""
    from relattr.execution.supervisor import SupervisedCell
    from relattr.registry import Registry

    runner, supervisor = ipc.socket_pair()
    with runner, supervisor:
        yield SupervisedCell(job, Registry(), supervisor), runner


def frame(tmp_path, message) -> bytes:
    with Connection(os.open(tmp_path / "frame", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), readable=False) as connection:
        ipc.send_message(connection, message)
    return (tmp_path / "frame").read_bytes()


def test_a_cell_cannot_send_other_messages_to_the_runner(supervised, tmp_path):
    cell, runner = supervised
    forged = (["done", b"row", b"", ""], ["lost", "why", 1], ["progress", "text", "1", 2], ["result", 1, 2], 5, {}, [])
    for message in forged:
        cell._handle_reports(frame(tmp_path, message))
    assert not runner.poll(0)
    assert cell.result is None
    assert cell.log.text().count("not a message") == 5 < len(forged)  # not more: they would displace its output
    cell._handle_reports(frame(tmp_path, ["progress", "x" * 10_000, 1, 2]))
    assert ipc.receive_message(runner) == ["progress", "x" * 1000, 1, 2]


def test_a_runner_that_does_not_read_cannot_block(supervised, tmp_path):
    cell, _ = supervised
    progress = frame(tmp_path, ["progress", "x" * 1000, 1, 2])
    for _ in range(2000):  # ten times what a socket buffers
        cell._handle_reports(progress)
    cell._handle_reports(frame(tmp_path, ["result", b"row", b"arrays"]))
    assert cell.result == CellResult(b"row", b"arrays")


def test_an_unfinished_message_does_not_block(supervised, tmp_path):
    cell, _ = supervised
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    pipes = [-1, reader, -1]
    os.write(writer, (2**31 - 1).to_bytes(4, "big") + b"start of a message that never ends")
    assert cell._read(reader, pipes)
    assert cell._read(reader, pipes)  # nothing to read: it returns at once
    os.close(writer)
    assert not cell._read(reader, pipes)
    os.close(reader)
    assert cell.result is None
