"""Downloads of weights end: at a limit on time, memory or size, whatever the server sends."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from relattr.backbones import hub_download
from relattr.backbones.hub_download import DownloadError, download_from_hugging_face, download_url

Server = Callable[[Callable[[socket.socket], None]], str]
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def serve() -> Iterator[Server]:
    """Answer every request with a function of its socket; returns the address."""
    listeners = []

    def start(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=respond, args=(client,), daemon=True).start()

        def respond(client: socket.socket) -> None:
            with client, suppress(OSError):
                client.recv(1 << 16)
                answer(client)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def endless(head: bytes, block: bytes = bytes(1 << 16)) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.sendall(head)
        while True:
            client.sendall(block)

    return answer


def slow(client: socket.socket) -> None:
    """One byte of the header for ever."""
    stopped = threading.Event()
    while not stopped.wait(0.05):
        client.sendall(b"X")


def fetch(address: str, tmp_path: Path) -> str:
    with pytest.raises(DownloadError) as error:
        download_url(f"{address}/net-00000000.pth", tmp_path / "cache/net-00000000.pth", "00000000")
    assert list((tmp_path / "cache").iterdir()) == []  # neither a partial nor a wrong file
    return str(error.value)


def test_a_complete_file_is_verified(serve, tmp_path):
    content = bytes(range(256)) * 4000
    address = serve(lambda client: client.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(content) + content))
    path = tmp_path / "cache/net.pth"
    download_url(f"{address}/net.pth", path, hashlib.sha256(content).hexdigest()[:8])
    assert path.read_bytes() == content
    path.unlink()
    assert "expected one that begins with 00000000" in fetch(address, tmp_path)


def test_a_body_without_an_end_is_ended(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_download, "MAX_BYTES", 1 << 20)
    assert "File too large" in fetch(serve(endless(OK + b"\r\n")), tmp_path)


def test_a_redirect_without_an_end_is_ended(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_download, "MAX_MEMORY", 1 << 28)
    monkeypatch.setattr(hub_download, "GRACE", 5.0)
    error = fetch(serve(endless(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n")), tmp_path)
    assert "MemoryError" in error or "took too long" in error  # whichever limit is reached first


def test_a_slow_server_is_given_up(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_download, "GRACE", 1.0)
    assert "took too long" in fetch(serve(slow), tmp_path)
    silent = serve(lambda client: threading.Event().wait(20) and None)
    assert "took too long" in fetch(silent, tmp_path)


def test_a_file_that_ends_early_is_refused(serve, tmp_path):
    assert "ended after 5 of 10 bytes" in fetch(
        serve(lambda client: client.sendall(OK + b"Content-Length: 10\r\n\r\nabcde")), tmp_path
    )


def test_the_hub_is_given_up_too(serve, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub_download, "GRACE", 1.5)
    monkeypatch.setenv("HF_ENDPOINT", serve(slow))
    with pytest.raises(DownloadError, match="took too long"):
        download_from_hugging_face("timm/any", "model.safetensors", tmp_path / "hf")
