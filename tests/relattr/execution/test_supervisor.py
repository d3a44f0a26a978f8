"""Which reports of a cell a supervisor passes on to the runner, and what becomes of the others."""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection

import msgspec
import pytest

from relattr.execution import ipc
from relattr.execution.job import CellResult, CompletedCell, LostCell, RefusedCell
from relattr.harness.result import Result

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


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


def test_a_cell_of_other_code_says_what_to_do(supervised, monkeypatch):
    cell, _ = supervised
    monkeypatch.setattr("relattr.execution.supervisor.mismatched_modules", lambda job, registry: "some.module")
    outcome = cell.run()
    assert isinstance(outcome, CompletedCell)
    result = msgspec.json.decode(outcome.row, type=Result)
    assert result.status == "failed"
    for text in ("the plan was made with: some.module;", "run again", "install the same version", "--retry failed"):
        assert text in result.reason


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


def test_messages_of_any_content_are_noted_and_ignored(supervised):
    cell, runner = supervised
    contents = [
        b"",
        b"\xc0",
        b"\xdd\xff\xff\xff\xff",  # an array of 4,294,967,295 items that do not follow
        b"\x91" * 100_000,  # nested
        b"\x94\xa8progress\xa1\xff\x01\x02",  # text that is not UTF-8
        msgspec.msgpack.encode(["progress", "text", 2**60, 1]),
        msgspec.msgpack.encode(["progress"]),
        msgspec.msgpack.encode(["result", b"row"]),
    ]
    for content in contents:
        cell._handle_reports(len(content).to_bytes(4, "big") + content)
    assert not runner.poll(0)
    assert cell.result is None
    progress = msgspec.msgpack.encode(["progress", "still works", 1, 2])
    bad = b"\0\0\0\1\xc0"
    cell._handle_reports(bad + bad + len(progress).to_bytes(4, "big") + progress + bad)
    assert ipc.receive_message(runner) == ["progress", "still works", 1, 2]


def test_a_message_that_never_ends_counts_as_memory(job):
    from relattr.execution.supervisor import SupervisedCell
    from relattr.harness.limits import Limits
    from relattr.registry import Registry

    runner, supervisor = ipc.socket_pair()
    with runner, supervisor:
        cell = SupervisedCell(job, Registry(), supervisor)
        assert not cell._exceeds_memory_limit()
        used = cell.peak  # what else this process counts, which depends on earlier tests
        limits = Limits(memory=f"{(used >> 20) + 48}M")
        cell = SupervisedCell(msgspec.structs.replace(job, limits=limits), Registry(), supervisor)
        assert not cell._exceeds_memory_limit()
        cell._handle_reports((1 << 30).to_bytes(4, "big") + b"x" * (70 << 20))
        assert cell._exceeds_memory_limit()
        assert cell.peak >= used + (48 << 20)


@pytest.mark.parametrize("row", [b"[" * 100_000, b"{}", b"\xff", b" " * (17 << 20)])
def test_a_result_that_is_not_one_is_a_crashed_cell(supervised, row):
    cell, _ = supervised
    outcome = cell._completed(CellResult(row, b""), 1.0, "")
    stored = msgspec.json.decode(outcome.row)
    assert stored["status"] == "crashed"
    assert "its process sent no readable result" in stored["reason"]


def test_an_error_of_a_supervisor_reaches_the_runner(job, monkeypatch):
    import threading

    from relattr.execution import supervisor as module
    from relattr.registry import Registry

    def fail(self):
        raise RuntimeError("no CUDA \udcff")

    monkeypatch.setattr(module.SupervisedCell, "run", fail)
    monkeypatch.setattr(module.processes, "set_child_subreaper", lambda: None)
    monkeypatch.setattr(module.processes, "set_parent_death_signal", lambda *arguments: None)
    monkeypatch.setattr(module.processes, "kill_descendants", lambda pid: 0)
    monkeypatch.setattr(module.signal, "signal", lambda *arguments: None)
    runner, supervisor = ipc.socket_pair()
    with runner, supervisor:
        thread = threading.Thread(target=module.serve_jobs, args=(supervisor, Registry(), 0))
        thread.start()
        ipc.send_message(runner, job)
        lost = ipc.receive_message(runner, 20, LostCell)
        thread.join(20)
        assert not thread.is_alive()  # such a supervisor does not run another cell
    assert lost.reason.startswith("its supervisor failed: RuntimeError: no CUDA")
    assert "in fail" in lost.traceback
    assert lost.max_attempts == 2


def test_a_refused_fork_is_an_outcome(supervised, monkeypatch):
    from relattr.execution import processes

    def refuse(patience=0.0):
        raise processes.ProcessRefused("the system refuses another process: EAGAIN")

    cell, _ = supervised
    monkeypatch.setattr(processes, "fork_patiently", refuse)
    n_open = len(os.listdir("/proc/self/fd"))
    assert cell.run() == RefusedCell("the system refuses another process: EAGAIN")
    assert len(os.listdir("/proc/self/fd")) == n_open
