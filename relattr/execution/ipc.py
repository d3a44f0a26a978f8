"""Messages between processes: four bytes of length, then one msgpack value. No pickle."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import msgspec

LARGEST = 1 << 31
"""Bytes in one message; strengths and margins of a cell are far below."""


def pack(message: Any) -> bytes:
    """One message as bytes."""
    content = msgspec.msgpack.encode(message)
    if len(content) >= LARGEST:
        raise ValueError(f"a message of {len(content):,} bytes is too long; at most {LARGEST:,}")
    return len(content).to_bytes(4, "big") + content


def send(connection: socket.socket, message: Any) -> None:
    """Send one message, whole."""
    connection.sendall(pack(message))


def receive(connection: socket.socket) -> Any:
    """The next message. Raises ``EOFError`` when the other side is gone."""
    length = int.from_bytes(_exactly(connection, 4), "big")
    return msgspec.msgpack.decode(_exactly(connection, length))


def _exactly(connection: socket.socket, n: int) -> bytes:
    parts = []
    while n:
        try:
            part = connection.recv(min(n, 1 << 20))
        except OSError as error:  # reset by the other side's death, or closed here
            raise EOFError(str(error)) from error
        if not part:
            raise EOFError("the other side is gone")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def write_all(handle: int, content: bytes) -> None:
    """Write bytes to a pipe, whole."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


class Parser:
    """Puts messages together from pieces as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[Any]:
        """The messages that this piece completes. Raises ``ValueError`` for what is none."""
        self._buffer += piece
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length >= LARGEST:
                raise ValueError("not a message")
            if len(self._buffer) < 4 + length:
                return
            content = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield msgspec.msgpack.decode(content)
