"""HTTP exchanges that end: each has a deadline, which no server can extend by sending a little more.

A timeout of a socket starts again with every byte, so a server can keep a client waiting for ever: with slow headers,
endless ``100 Continue``, or a slow chunk header. Here a thread watches the deadlines, and ends an exchange by shutting
down its connection. The same ends all exchanges when the user interrupts the download.
"""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Session

WATCH_INTERVAL = 0.1
"""Seconds between two checks of the deadlines."""


class Exchange:
    """The exchanges of one session, one at a time, with the connections that it uses."""

    def __init__(self) -> None:
        self.ended = ""
        """Why the exchange was ended; empty if it was not."""
        self._deadline = self._last_deadline = float("inf")
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self._handshakes: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, seconds: float, total_seconds: float) -> None:
        """Start an exchange, which ends after ``seconds`` unless `extend` is called.

        It lasts ``total_seconds`` at most.
        """
        with self._lock:
            now = time.monotonic()
            self.ended = "the download was stopped" if self._stopped else ""
            self._last_deadline = now + total_seconds
            self._deadline = min(now + seconds, self._last_deadline)

    def extend(self, seconds: float) -> None:
        """Let the exchange last for this time from now, but not longer than in all."""
        with self._lock:
            self._deadline = min(time.monotonic() + seconds, self._last_deadline)

    def finish(self) -> None:
        """The exchange has ended by itself."""
        with self._lock:
            self._deadline = float("inf")

    def check(self) -> None:
        """End the exchange if its deadline has passed."""
        now = time.monotonic()
        if now >= self._deadline:
            self.end("took too long" if now >= self._last_deadline else "sent too little in the time allowed")

    def stop(self) -> None:
        """End this exchange and every later one."""
        self._stopped = True
        self.end("the download was stopped")

    def end(self, reason: str) -> None:
        """Shut down the connections; reading from them then fails in the thread that waits for them."""
        with self._lock:
            self._deadline = float("inf")
            self.ended = reason
            sockets = [*self._handshakes, *self._sockets]
        for each in sockets:
            with suppress(OSError, ValueError):
                each.shutdown(socket.SHUT_RDWR)

    # ------------------------------------------------------------------ connections

    def watch(self, session: Session) -> None:
        """Register every connection that the session opens from now on."""
        from requests.adapters import HTTPAdapter

        pools = self._pool_classes()

        class WatchedAdapter(HTTPAdapter):
            """An adapter whose connections belong to the exchange."""

            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, **kwargs)
                self.poolmanager.pool_classes_by_scheme = pools

            def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
                manager = super().proxy_manager_for(*args, **kwargs)
                manager.pool_classes_by_scheme = pools
                return manager

        for prefix in ("http://", "https://"):
            session.mount(prefix, WatchedAdapter())

    def _pool_classes(self) -> dict[str, type]:
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        def watched(pool: type) -> type:
            connection = type(f"Watched{pool.ConnectionCls.__name__}", (_WatchedConnection, pool.ConnectionCls), {})  # type: ignore[attr-defined]
            connection.exchange = self  # type: ignore[attr-defined]
            return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": connection})

        return {"http": watched(HTTPConnectionPool), "https": watched(HTTPSConnectionPool)}

    @contextmanager
    def connecting(self, connection: Any) -> Iterator[None]:
        """While the block opens a connection: during the TLS handshake, its socket is replaced by another object."""
        try:
            yield
        finally:
            with self._lock:
                handshake, connection.handshake = connection.handshake, None
                self._handshakes.discard(handshake)
                if connection.sock is not None:
                    self._sockets.add(connection.sock)
                ended = bool(self.ended)
            if handshake is not None:
                if ended:
                    with suppress(OSError):
                        handshake.shutdown(socket.SHUT_RDWR)
                handshake.close()

    def register(self, connection: Any, opened: socket.socket) -> None:
        """A connection has this socket until the end of the handshake."""
        with self._lock:
            connection.handshake = opened.dup()
            self._handshakes.add(connection.handshake)
            ended = bool(self.ended)
        if ended:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


class _WatchedConnection:
    """A connection of urllib3 that registers its sockets with an exchange."""

    exchange: Exchange
    handshake: socket.socket | None = None

    def connect(self) -> Any:
        with self.exchange.connecting(self):
            return super().connect()  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        opened: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.exchange.register(self, opened)
        return opened


class Watchdog:
    """A thread that ends exchanges whose deadline has passed. At the end of the block all exchanges are ended."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadlines of downloads", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """End all exchanges, and those that start later."""
        self._closed.set()
        for exchange in list(self._exchanges):
            exchange.stop()

    def new_exchange(self) -> Exchange:
        """Return a new exchange that this thread watches."""
        exchange = Exchange()
        self._exchanges.append(exchange)
        if self._closed.is_set():
            exchange.stop()
        return exchange

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_INTERVAL):
            for exchange in list(self._exchanges):
                exchange.check()
