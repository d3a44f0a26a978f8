"""Messages between the processes of a run: msgpack values in the frames of ``multiprocessing.connection``.

Nothing is pickled: only ``send_bytes`` and ``recv_bytes`` are used, so a message can never run code.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

MAX_MESSAGE_BYTES = (1 << 31) - 1
"""Upper limit on the size of one message; the arrays of a cell are far smaller.

Up to this size a `Connection` writes the length as four bytes, big-endian. `MessageParser` relies on that.
"""
_HEADER_BYTES = 4
_MAX_WAIT = 86400.0
"""Seconds of one call of ``poll``, whose timeout the system holds as a 32-bit number of milliseconds."""


class BadMessage(ValueError):
    """Bytes that are not a message, or a message of another type than expected."""


def socket_pair() -> tuple[Connection, Connection]:
    """Create the two ends of a new connection."""
    first, second = socket.socketpair()
    return Connection(first.detach()), Connection(second.detach())


def send_message(connection: Connection, message: Any) -> None:
    """Send one message. Raises `ValueError` for one that is too long, and `OSError` if the other end is closed."""
    content = msgspec.msgpack.encode(message)
    if len(content) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(content):,} bytes is too long; the maximum is {MAX_MESSAGE_BYTES:,}")
    connection.send_bytes(content)


def receive_message(connection: Connection, timeout: float | None = None, type: Any = Any) -> Any:
    """Receive the next message, of this type.

    Raises `EOFError` when the other end is closed, `TimeoutError` if no message starts to arrive within ``timeout``
    seconds (None: no limit), and `BadMessage` if it is not of the type.
    """
    end = None if timeout is None else time.monotonic() + timeout
    try:
        poller = select.poll()  # `Connection.poll` creates a selector for each call, which takes ten times as long
        poller.register(connection.fileno(), select.POLLIN)  # the end of a connection is reported too
        while True:
            wait = _MAX_WAIT if end is None else min(_MAX_WAIT, max(0.0, end - time.monotonic()))
            if poller.poll(1000 * wait):
                break
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no message within {timeout:g} s")
        content = connection.recv_bytes(MAX_MESSAGE_BYTES)
    except TimeoutError:
        raise
    except OSError as error:  # the connection was reset, or closed by another thread
        raise EOFError(str(error)) from error
    return decode_message(content, type)


def decode_message(content: bytes | memoryview, type: Any = Any) -> Any:
    """Decode one message of this type. Raises `BadMessage` for anything else, whatever it contains."""
    try:
        return msgspec.msgpack.decode(content, type=type)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise BadMessage(f"not a message: {error}") from error


def shut_down(connection: Connection) -> None:
    """End the connection in both directions; wakes a thread that waits on it, which closing would not do."""
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


class MessageParser:
    """Incremental parser of `Connection` frames, for the pipe on which a cell reports to its supervisor.

    The supervisor must not call ``recv_bytes`` on that pipe: it blocks until the whole frame has arrived. A faulty or
    hostile cell that writes half a frame, or a length that it never fills, would stop the supervisor, and with it the
    cell's limits on time and memory.
    """

    def __init__(self, type: Any = Any) -> None:
        self._type = type
        self._buffer = bytearray()

    @property
    def buffered_bytes(self) -> int:
        """The size of the part of a message that has arrived."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield the messages that ``data`` completes.

        Raises `BadMessage` for an invalid length and for a message of another type; what follows it is parsed by the
        next call.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER_BYTES:
            length = int.from_bytes(self._buffer[:_HEADER_BYTES], "big", signed=True)
            if length < 0:
                self._buffer.clear()
                raise BadMessage("not a message: its length is negative")
            end = _HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            try:
                with memoryview(self._buffer) as view, view[_HEADER_BYTES:end] as content:
                    message = decode_message(content, self._type)
            finally:
                del self._buffer[:end]
            yield message
