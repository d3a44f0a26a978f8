"""Messages between processes; connections that are closed, silent or carry invalid data."""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection

import pytest

from relattr.execution import ipc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


@pytest.fixture
def pair():
    first, second = ipc.socket_pair()
    with first, second:
        yield first, second


def test_messages_can_be_parsed_from_pieces_of_any_size(tmp_path):
    messages = [["result", b"\0" * 100_000, b""], {"a": 1}, "text", 5, []]
    with Connection(os.open(tmp_path / "stream", os.O_WRONLY | os.O_CREAT), readable=False) as connection:
        for message in messages:
            ipc.send_message(connection, message)
    stream = (tmp_path / "stream").read_bytes()
    for step in (1, 3, 4096, len(stream)):
        parser = ipc.MessageParser()
        parsed = [m for k in range(0, len(stream), step) for m in parser.feed(stream[k : k + step])]
        assert parsed == messages


def test_an_invalid_length_is_refused_and_discarded():
    parser = ipc.MessageParser()
    with pytest.raises(ValueError, match="not a message"):
        list(parser.feed(b"\xff" * 100))
    assert list(parser.feed(b"\0\0\0\x01\x05")) == [5]


def test_a_closed_connection_is_the_end(pair):
    local, remote = pair
    ipc.send_message(remote, "whole")
    os.write(remote.fileno(), b"\0\0\0\x09half")
    remote.close()
    assert ipc.receive_message(local) == "whole"
    with pytest.raises(EOFError):
        ipc.receive_message(local)


def test_a_silent_connection_times_out(pair):
    with pytest.raises(TimeoutError, match=r"0\.01 s"):
        ipc.receive_message(pair[0], timeout=0.01)


def test_a_message_above_the_limit_is_refused(pair, monkeypatch):
    local, remote = pair
    ipc.send_message(remote, b"x" * 100)
    monkeypatch.setattr(ipc, "MAX_MESSAGE_BYTES", 50)
    with pytest.raises(ValueError, match="too long"):
        ipc.send_message(remote, b"x" * 100)
    with pytest.raises(EOFError):
        ipc.receive_message(local)


def test_shutting_down_wakes_a_waiting_thread(pair):
    local, _ = pair
    ended = []

    def wait():
        with pytest.raises(EOFError):
            ipc.receive_message(local)
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    ipc.shut_down(local)
    thread.join(10)
    assert ended


def test_a_wait_may_be_longer_than_the_system_allows(pair):
    local, remote = pair
    ipc.send_message(remote, "text")
    assert ipc.receive_message(local, timeout=1e9) == "text"  # poll() takes at most 2^31 ms


def test_a_message_of_another_type_is_refused(pair):
    local, remote = pair
    ipc.send_message(remote, [1, 2])
    ipc.send_message(remote, "text")
    with pytest.raises(ipc.BadMessage, match="not a message"):
        ipc.receive_message(local, type=str)
    assert ipc.receive_message(local, type=str) == "text"
