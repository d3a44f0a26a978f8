"""The stored part of what a cell prints."""

from __future__ import annotations

from collections import deque

LOG_HEAD_BYTES, LOG_TAIL_BYTES = 64 << 10, 64 << 10
"""How much is stored of the start and of the end of a cell's output."""


class OutputLog:
    """The start and the end of a stream of any length."""

    def __init__(self) -> None:
        self.total = 0
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def feed(self, data: bytes) -> None:
        """Append the next part of the stream."""
        self.total += len(data)
        room = LOG_HEAD_BYTES - len(self._head)
        self._head += data[:room]
        data = data[room:] if room > 0 else data
        if data:
            self._tail.append(data)
            self._tail_bytes += len(data)
            while self._tail_bytes - len(self._tail[0]) >= LOG_TAIL_BYTES:
                self._tail_bytes -= len(self._tail.popleft())

    def text(self) -> str:
        """The stored text, with a line in the middle that says how many bytes were left out, if any."""
        tail = b"".join(self._tail)[-LOG_TAIL_BYTES:]
        omitted = self.total - len(self._head) - len(tail)
        middle = f"\n[... {omitted:,} bytes left out ...]\n".encode() if omitted else b""
        return (bytes(self._head) + middle + tail).decode(errors="replace")
