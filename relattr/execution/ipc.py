"""Messages between the processes of a run: msgpack values in the frames of ``multiprocessing.connection``.

Nothing is pickled: only ``send_bytes`` and ``recv_bytes`` are used, so a message can never run code.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

MAX_MESSAGE_BYTES = (1 << 31) - 1
"""Upper limit on the size of one message; the arrays of a cell are far smaller.

Up to this size a `Connection` writes the length as four bytes, big-endian. `MessageParser` relies on that.
"""
_HEADER_BYTES = 4


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


def receive_message(connection: Connection, timeout: float | None = None) -> Any:
    """Receive the next message.

    Raises `EOFError` when the other end is closed, and `TimeoutError` if no message starts to arrive within
    ``timeout`` seconds (None: no limit).
    """
    try:
        if not connection.poll(timeout):
            raise TimeoutError(f"no message within {timeout:g} s")
        return msgspec.msgpack.decode(connection.recv_bytes(MAX_MESSAGE_BYTES))
    except TimeoutError:
        raise
    except OSError as error:  # the connection was reset, or closed by another thread
        raise EOFError(str(error)) from error


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

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield the messages that ``data`` completes.

        Raises `ValueError` for an invalid length and `msgspec.DecodeError` for contents that are not msgpack.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER_BYTES:
            length = int.from_bytes(self._buffer[:_HEADER_BYTES], "big", signed=True)
            if length < 0:
                self._buffer.clear()
                raise ValueError("not a message")
            end = _HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            content = bytes(self._buffer[_HEADER_BYTES:end])
            del self._buffer[:end]
            yield msgspec.msgpack.decode(content)
