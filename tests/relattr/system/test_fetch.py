"""`fetch_files` against a local server that fails, truncates, stalls, and sends invalid contents."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from relattr.errors import BadInput, Blocked
from relattr.progress import listening
from relattr.system.download import Download
from relattr.system.fetch import FetchError, FetchSummary, RetryPolicy, fetch_files

CONTENT = random.Random(7).randbytes(300_000)
QUICK = RetryPolicy(tries=3, pause=0.01, connect_timeout=10.0, read_timeout=10.0, sleep=lambda seconds: None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers)))
            nth = sum(path == self.path for path, _ in self.server.requests)
        try:
            self.server.routes[self.path](self, nth)
        except KeyError:
            self.answer(404, b"no such file")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has closed the connection

    def answer(self, status: int, body: bytes = b"", /, **headers: str) -> None:
        self.send_response(status)
        fields = {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def ranged(self, body: bytes = CONTENT, **headers: str) -> None:
        """Answer like a server that supports Range."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None:
            self.answer(200, body, **headers)
        elif int(asked[1]) >= len(body):
            self.answer(416, b"", Content_Range=f"bytes */{len(body)}")
        else:
            start = int(asked[1])
            where = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(206, body[start:], Content_Range=where, **headers)

    def cut(self, body: bytes, sent: int, **headers: str) -> None:
        """Announce a body, send a part of it and close the connection."""
        self.send_response(200)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Server:
    """A server with a function for each path: ``route(handler, n)`` answers the n-th request of the path."""

    routes: dict[str, Callable[[Handler, int], None]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def headers(self, path: str) -> list[dict[str, str]]:
        return [headers for asked, headers in self.requests if asked == path]


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Bound(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def finish_request(self, request, client_address):  # type: ignore[no-untyped-def]
            Handler(request, client_address, state)  # type: ignore[arg-type]

        def handle_error(self, request, client_address):  # type: ignore[no-untyped-def]
            pass  # clients are killed on purpose

    with Bound(("127.0.0.1", 0), Handler) as httpd:
        state.port = httpd.server_address[1]
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        state.ended.set()
        httpd.shutdown()
        thread.join(5)


def a_download(*urls: str, content: bytes = CONTENT, path: str = "images/a.bin", **more: str) -> Download:
    return Download(path, tuple(urls), hashlib.sha256(content).hexdigest(), len(content), **more)


def only(folder: Path) -> set[str]:
    """The files below a folder, without lock files."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


# ---------------------------------------------------------------------- servers that serve


def test_a_valid_file_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.ranged()
    download = a_download(server.url("/a"))
    assert fetch_files([download], tmp_path, policy=QUICK) == FetchSummary(present=0, fetched=1)
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT
    assert only(tmp_path) == {"images/a.bin"}
    assert fetch_files([download], tmp_path, policy=QUICK) == FetchSummary(present=1, fetched=0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT[:-1] + b"?"], ids=["size", "content"])
def test_an_invalid_file_is_replaced(server: Server, tmp_path: Path, wrong: bytes) -> None:
    server.routes["/a"] = lambda h, n: h.ranged()
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.bin").write_bytes(wrong)
    assert fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK).fetched == 1
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_parallel_downloads_report_each_byte_once(server: Server, tmp_path: Path) -> None:
    contents = {f"/{i}": random.Random(i).randbytes(1000 + i) for i in range(60)}
    meeting = threading.Barrier(3, timeout=5)  # broken unless three requests are open at the same time

    def serve(h: Handler, n: int) -> None:
        if h.path in ("/0", "/1", "/2"):
            meeting.wait()
        if h.path == "/7" and n == 1:
            h.cut(contents[h.path], 500)
        else:
            h.ranged(contents[h.path])

    server.routes.update(dict.fromkeys(contents, serve))
    downloads = [a_download(server.url(p), content=c, path=f"some/{p[1:]}") for p, c in contents.items()]
    reported: list[tuple[str, int]] = []
    steps: list[int] = []

    class Listen:
        def __init__(self, description: str, total: int) -> None:
            reported.append((description, total))

        def __enter__(self) -> Callable[[int], None]:
            return steps.append

        def __exit__(self, *args: object) -> None:
            pass

    with listening(Listen):
        fetch_files(downloads, tmp_path, what="toys", policy=QUICK)
    assert reported == [("downloading toys", sum(map(len, contents.values())))]
    assert sum(steps) == reported[0][1]
    assert min(steps) > 0
    for path, content in contents.items():
        assert (tmp_path / "some" / path[1:]).read_bytes() == content


def test_chunked_transfers_without_length_are_accepted(server: Server, tmp_path: Path) -> None:
    def chunked(h: Handler, n: int) -> None:
        h.send_response(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        for start in range(0, len(CONTENT), 50_000):
            block = CONTENT[start : start + 50_000]
            h.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        h.wfile.write(b"0\r\n\r\n")

    server.routes["/a"] = chunked
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.answer(302, b"", Location="/b")
    server.routes["/b"] = lambda h, n: h.ranged()
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


# ---------------------------------------------------------------------- servers that fail


def test_pauses_between_attempts_double(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.answer(500, b"oops") if n <= 2 else h.ranged()
    pauses: list[float] = []
    policy = RetryPolicy(tries=3, pause=0.5, connect_timeout=10, read_timeout=10, sleep=pauses.append)
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=policy)
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT
    assert pauses == [0.5, 1.0]


def test_retry_after_is_respected_up_to_the_maximum(server: Server, tmp_path: Path) -> None:
    asked = {1: "7", 2: "3600"}
    server.routes["/a"] = lambda h, n: h.answer(429, b"", Retry_After=asked[n]) if n in asked else h.ranged()
    pauses: list[float] = []
    policy = RetryPolicy(tries=3, pause=0.5, max_pause=20, connect_timeout=10, read_timeout=10, sleep=pauses.append)
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=policy)
    assert pauses == [7.0, 20.0]


def test_a_missing_file_is_requested_once(server: Server, tmp_path: Path) -> None:
    server.routes["/good"] = lambda h, n: h.ranged()
    fetch_files([a_download(server.url("/gone"), server.url("/good"))], tmp_path, policy=QUICK)
    assert [path for path, _ in server.requests] == ["/gone", "/good"]
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_an_interrupted_transfer_is_resumed_with_its_etag(server: Server, tmp_path: Path) -> None:
    def serve(h: Handler, n: int) -> None:
        if n == 1:
            h.cut(CONTENT, 200_000, ETag='"v1"')
        else:
            h.ranged(ETag='"v1"')

    server.routes["/a"] = serve
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    first, second = server.headers("/a")
    assert "Range" not in first
    assert second["Range"] == "bytes=200000-"
    assert second["If-Range"] == '"v1"'
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_a_weak_etag_is_not_used_to_continue(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.cut(CONTENT, 1000, ETag='W/"v1"') if n == 1 else h.ranged()
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    assert "If-Range" not in server.headers("/a")[1]


def test_without_range_support_the_file_is_read_again(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.cut(CONTENT, 100_000) if n == 1 else h.answer(200, CONTENT)
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    assert "Range" in server.headers("/a")[1]
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_an_answer_with_another_range_is_rejected(server: Server, tmp_path: Path) -> None:
    def serve(h: Handler, n: int) -> None:
        if n == 1:
            h.cut(CONTENT, 100_000)
        elif n == 2:
            h.answer(206, CONTENT[5:], Content_Range=f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            h.ranged()

    server.routes["/a"] = serve
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_a_range_that_cannot_be_satisfied_starts_over(server: Server, tmp_path: Path) -> None:
    def serve(h: Handler, n: int) -> None:
        if n == 1:
            h.cut(CONTENT, 100_000)
        elif "Range" in h.headers:
            h.answer(416)
        else:
            h.answer(200, CONTENT)

    server.routes["/a"] = serve
    fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    assert ["Range" in headers for headers in server.headers("/a")] == [False, True, False]
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_a_server_that_never_gets_further_is_given_up(server: Server, tmp_path: Path) -> None:
    big = random.Random(1).randbytes(3 << 20)

    def serve(h: Handler, n: int) -> None:
        if n > 20:
            h.answer(404)
        elif "Range" in h.headers:
            h.answer(416)
        else:
            h.cut(big, 2 << 20)

    server.routes["/a"] = serve
    with pytest.raises(FetchError, match=r"\(3 tries\)"):
        fetch_files([a_download(server.url("/a"), content=big)], tmp_path, policy=QUICK)


def test_progress_resets_the_count_of_attempts(server: Server, tmp_path: Path) -> None:
    big = random.Random(2).randbytes(6 << 20)

    def serve(h: Handler, n: int) -> None:
        start = int(h.headers.get("Range", "bytes=0-")[6:-1])
        h.send_response(206 if start else 200)
        h.send_header("Content-Length", str(len(big) - start))
        if start:
            h.send_header("Content-Range", f"bytes {start}-{len(big) - 1}/{len(big)}")
        h.end_headers()
        h.wfile.write(big[start : start + (1 << 20) + 100])
        h.close_connection = True

    server.routes["/a"] = serve
    fetch_files([a_download(server.url("/a"), content=big)], tmp_path, policy=QUICK)
    assert len(server.requests) == 6  # twice the number of attempts
    assert (tmp_path / "images/a.bin").read_bytes() == big


def test_the_next_mirror_continues_a_stalled_download(server: Server, tmp_path: Path) -> None:
    def stall(h: Handler, n: int) -> None:
        h.send_response(200)
        h.send_header("Content-Length", str(len(CONTENT)))
        h.end_headers()
        h.wfile.write(CONTENT[:70_000])
        h.wfile.flush()
        server.ended.wait(10)

    server.routes["/stalls"] = stall
    server.routes["/good"] = lambda h, n: h.ranged()
    policy = RetryPolicy(tries=1, connect_timeout=10, read_timeout=0.3, sleep=lambda s: None)
    started = time.monotonic()
    fetch_files([a_download(server.url("/stalls"), server.url("/good"))], tmp_path, policy=policy)
    assert time.monotonic() - started < 9
    assert server.headers("/good")[0]["Range"] == "bytes=70000-"
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_a_very_slow_transfer_is_stalled(server: Server, tmp_path: Path) -> None:
    def trickle(h: Handler, n: int) -> None:
        h.send_response(200)
        h.send_header("Content-Length", str(len(CONTENT)))
        h.end_headers()
        for i in range(400):
            h.wfile.write(CONTENT[i : i + 1])
            h.wfile.flush()
            if server.ended.wait(0.02):
                return

    server.routes["/a"] = trickle
    policy = RetryPolicy(tries=1, connect_timeout=10, read_timeout=0.3, sleep=lambda s: None)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"sent \d+ bytes in \d+ s"):
        fetch_files([a_download(server.url("/a"))], tmp_path, policy=policy)
    assert time.monotonic() - started < 9


def test_a_refused_connection_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"(?s)images/a\.bin.*127\.0\.0\.1:1/a: .*refused.*3 tries"):
        fetch_files([a_download("http://127.0.0.1:1/a")], tmp_path, policy=QUICK)
    assert only(tmp_path) == set()


def test_a_failing_host_is_given_up_for_all_files(server: Server, tmp_path: Path) -> None:
    files = [a_download(server.url(f"/{i}"), content=b"%d" % i, path=f"{i}") for i in range(200)]
    server.routes.update({f"/{i}": lambda h, n: h.answer(503) for i in range(200)})
    policy = RetryPolicy(
        workers=2, tries=2, connect_timeout=10, read_timeout=10, sleep=lambda s: None, max_host_failures=3
    )
    with pytest.raises(FetchError, match="could not download 200 of 200 toys") as error:
        fetch_files(files, tmp_path, what="toys", policy=policy)
    assert "and 195 more" in str(error.value)
    assert len(server.requests) <= 2 * (3 + 2)


def test_a_failed_file_does_not_prevent_the_others(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.ranged()
    bad, good = a_download(server.url("/gone"), path="bad"), a_download(server.url("/a"), path="good")
    with pytest.raises(FetchError, match=r"(?s)could not download 1 of 2 .*bad: http.*/gone: answered 404") as error:
        fetch_files([bad, good], tmp_path, policy=QUICK)
    assert "good" not in str(error.value)
    assert (tmp_path / "good").read_bytes() == CONTENT


# ---------------------------------------------------------------------- faulty servers


def faulty_servers() -> dict[str, tuple[Callable[[Handler, int], None], str]]:
    """Responses of a faulty server, by name, each with a regular expression for the error message."""
    page = b"<html>404, but we say 200</html>"
    n = len(CONTENT)
    return {
        "wrong bytes": (lambda h, n: h.ranged(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])), "has SHA-256"),
        "too short": (lambda h, n: h.ranged(CONTENT[:-1]), f"announces {n - 1:,} bytes"),
        "too long": (lambda h, n: h.ranged(CONTENT + b"x"), f"announces {n + 1:,} bytes"),
        "length too small": (lambda h, n: h.answer(200, CONTENT, Content_Length="10"), "announces 10 bytes"),
        "length too large": (lambda h, k: h.answer(200, CONTENT, Content_Length=str(n + 5)), f"announces {n + 5:,}"),
        "endless": (endless, f"sends more than the {n:,} bytes"),
        "error page": (lambda h, n: h.answer(200, page, Content_Type="text/html"), "announces 32 bytes of text/html"),
        "compressed": (lambda h, n: h.answer(200, CONTENT, Content_Encoding="gzip"), r"encoded the file \(gzip\)"),
        "local file": (lambda h, n: h.answer(302, b"", Location="file:///etc/passwd"), "neither http nor https"),
        "ftp": (lambda h, n: h.answer(302, b"", Location="ftp://127.0.0.1/a"), "neither http nor https"),
        "no host": (lambda h, n: h.answer(302, b"", Location="http://[bad"), "invalid address"),
        "empty label": (lambda h, n: h.answer(302, b"", Location="http://.a/x"), "invalid address"),
        "loop": (lambda h, n: h.answer(302, b"", Location=h.path), "redirects more than 5 times"),
        "partial without being asked": (lambda h, n: h.answer(206, CONTENT[:10]), "answered 206"),
        "no content": (lambda h, n: h.answer(204), "answered 204"),
    }


def endless(h: Handler, n: int) -> None:
    h.send_response(200)
    h.send_header("Connection", "close")
    h.end_headers()
    h.close_connection = True
    for _ in range(1000):
        h.wfile.write(CONTENT)


@pytest.mark.parametrize("fault", faulty_servers())
def test_after_an_invalid_file_the_next_mirror_is_used(server: Server, tmp_path: Path, fault: str) -> None:
    server.routes["/faulty"], output = faulty_servers()[fault]
    server.routes["/good"] = lambda h, n: h.ranged()
    with pytest.raises(FetchError, match=output) as error:
        fetch_files([a_download(server.url("/faulty"))], tmp_path, policy=QUICK)
    assert "images/a.bin" in str(error.value)
    assert server.url("/faulty") in str(error.value)
    assert not (tmp_path / "images/a.bin").exists()
    fetch_files([a_download(server.url("/faulty"), server.url("/good"))], tmp_path, policy=QUICK)
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT
    assert only(tmp_path) == {"images/a.bin"}


def test_a_checksum_error_names_both_and_leaves_no_file(server: Server, tmp_path: Path) -> None:
    wrong = CONTENT[::-1]
    server.routes["/a"] = lambda h, n: h.ranged(wrong)
    with pytest.raises(FetchError) as error:
        fetch_files([a_download(server.url("/a"))], tmp_path, policy=QUICK)
    for digest in (hashlib.sha256(wrong).hexdigest(), hashlib.sha256(CONTENT).hexdigest()):
        assert digest in str(error.value)
    assert only(tmp_path) == set()
    assert len(server.requests) == 1


def test_an_invalid_start_of_a_file_is_discarded(server: Server, tmp_path: Path) -> None:
    server.routes["/bad"] = lambda h, n: h.cut(bytes(len(CONTENT)), 100_000)
    server.routes["/good"] = lambda h, n: h.ranged()
    policy = RetryPolicy(tries=1, connect_timeout=10, read_timeout=10, sleep=lambda s: None)
    fetch_files([a_download(server.url("/bad"), server.url("/good"))], tmp_path, policy=policy)
    assert ["Range" in headers for headers in server.headers("/good")] == [True, False]
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_the_error_names_all_failed_mirrors(server: Server, tmp_path: Path) -> None:
    server.routes["/1"] = lambda h, n: h.answer(500)
    server.routes["/2"], _ = faulty_servers()["wrong bytes"]
    urls = [server.url(path) for path in ("/1", "/2", "/3")]
    with pytest.raises(FetchError) as error:
        fetch_files([a_download(*urls)], tmp_path, policy=QUICK)
    reasons = ["/1: answered 500 Internal Server Error (3 tries)", "/2: has SHA-256", "/3: answered 404 Not Found"]
    for reason in reasons:
        assert reason in str(error.value)
    assert only(tmp_path) == set()


# ---------------------------------------------------------------------- leftovers, processes, disks


@pytest.mark.parametrize(
    ("left", "asked"),
    [(CONTENT[:1234], ["bytes=1234-"]), (CONTENT, []), (CONTENT + b"more", [None]), (b"\0" * 99, ["bytes=99-", None])],
    ids=["beginning", "whole", "too long", "wrong"],
)
def test_a_valid_partial_download_is_continued(
    server: Server, tmp_path: Path, left: bytes, asked: list[str | None]
) -> None:
    server.routes["/a"] = lambda h, n: h.cut(CONTENT, 5000)
    download = a_download(server.url("/a"))
    with pytest.raises(FetchError):
        fetch_files([download], tmp_path, policy=RetryPolicy(tries=1, connect_timeout=10, read_timeout=10))
    (part,) = only(tmp_path)
    assert part.startswith("images/.a.bin.")
    assert part.endswith(".part")
    (tmp_path / part).write_bytes(left)
    server.requests.clear()
    server.routes["/a"] = lambda h, n: h.ranged()
    fetch_files([download], tmp_path, policy=QUICK)
    assert [headers.get("Range") for headers in server.headers("/a")] == asked
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT
    assert only(tmp_path) == {"images/a.bin"}


def a_process(root: Path, downloads: list[Download], *before: str) -> subprocess.Popen[str]:
    """A process that downloads these files after it has run some other lines."""
    code = [
        "from pathlib import Path",
        "from relattr.system.download import Download",
        "from relattr.system.fetch import RetryPolicy, fetch_files",
        *before,
        f"print(fetch_files({downloads!r}, Path({str(root)!r}), policy=RetryPolicy(tries=2, pause=0.01, read_timeout=5.0)))",
    ]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_killed_process_loses_no_bytes(server: Server, tmp_path: Path) -> None:
    half = threading.Event()

    def slow(h: Handler, n: int) -> None:
        h.send_response(200)
        h.send_header("Content-Length", str(len(CONTENT)))
        h.end_headers()
        h.wfile.write(CONTENT[:150_000])
        h.wfile.flush()
        half.set()
        server.ended.wait(20)

    server.routes["/a"] = slow
    download = a_download(server.url("/a"))
    with a_process(tmp_path, [download]) as process:
        assert half.wait(20)
        deadline = time.monotonic() + 10
        while sum(p.stat().st_size for p in tmp_path.rglob("*.part")) < 150_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
    assert not (tmp_path / "images/a.bin").exists()
    server.routes["/a"] = lambda h, n: h.ranged()
    fetch_files([download], tmp_path, policy=QUICK)
    assert server.headers("/a")[-1]["Range"] == "bytes=150000-"
    assert (tmp_path / "images/a.bin").read_bytes() == CONTENT


def test_two_processes_download_each_file_once(server: Server, tmp_path: Path) -> None:
    contents = {f"/{i}": random.Random(i).randbytes(20_000) for i in range(30)}
    root, marks = tmp_path / "data", [tmp_path / "one", tmp_path / "two"]

    def serve(h: Handler, n: int) -> None:
        deadline = time.monotonic() + 20
        while not all(mark.exists() for mark in marks):  # neither may finish before the other has started
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.02)
        h.ranged(contents[h.path])

    server.routes.update(dict.fromkeys(contents, serve))
    downloads = [a_download(server.url(p), content=c, path=p[1:]) for p, c in contents.items()]
    processes = [a_process(root, downloads, f"Path({str(mark)!r}).touch()") for mark in marks]
    for process in processes:
        with process:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    for path, content in contents.items():
        assert (root / path[1:]).read_bytes() == content
    assert sorted(path for path, _ in server.requests) == sorted(contents)
    assert only(root) == {path[1:] for path in contents}


def test_a_full_disk_leaves_no_partial_file(server: Server, tmp_path: Path) -> None:
    server.routes["/a"] = lambda h, n: h.ranged()
    limit = [  # a file may grow to 100,000 bytes: the write that passes it fails as on a full disk
        "import resource, signal",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))",
    ]
    with a_process(tmp_path, [a_download(server.url("/a"))], *limit) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "FetchError: cannot write" in errors
    assert "File too large" in errors
    assert only(tmp_path) == set()


def test_too_little_disk_space_is_reported_first(server: Server, tmp_path: Path) -> None:
    huge = Download("a", (server.url("/a"),), "0" * 64, 1 << 60)
    with pytest.raises(FetchError, match=r"need 1,152,921,504,606,846,976 bytes more, but .* free"):
        fetch_files([huge], tmp_path, policy=QUICK)
    assert server.requests == []


def test_a_partial_download_needs_only_the_rest_of_the_space(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["/a"] = lambda h, n: h.ranged()
    download = a_download(server.url("/a"))
    part = download.partial_path(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:-10])
    free = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert fetch_files([download], tmp_path, policy=QUICK) == FetchSummary(0, 1)
    assert (tmp_path / download.path).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file where a folder should be")
    with pytest.raises(FetchError, match="cannot write"):
        fetch_files([a_download("http://127.0.0.1:1/a")], tmp_path, policy=QUICK)
    assert (tmp_path / "images").read_text() == "a file where a folder should be"
    with pytest.raises(FetchError, match="cannot create the folder"):
        fetch_files([a_download("http://127.0.0.1:1/a")], tmp_path / "images" / "below", policy=QUICK)


def test_offline_names_what_is_missing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.routes["/a"] = lambda h, n: h.ranged()
    here, absent = a_download(server.url("/a"), path="here"), a_download(server.url("/a"), path="gone")
    fetch_files([here], tmp_path, policy=QUICK)
    monkeypatch.setenv("RELATTR_OFFLINE", "1")
    assert fetch_files([here], tmp_path, policy=QUICK) == FetchSummary(1, 0)
    with pytest.raises(Blocked, match=r"(?s)RELATTR_OFFLINE is set, and 1 of 2 toys are not in .*gone \(http") as error:
        fetch_files([here, absent], tmp_path, what="toys", policy=QUICK)
    assert "here (" not in str(error.value)
    assert len(server.requests) == 1


# ---------------------------------------------------------------------- archives, and what is refused


def test_an_archive_is_unpacked_once(server: Server, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("one/a.txt", "A")
        file.writestr("b.txt", "B")
    content = buffer.getvalue()
    server.routes["/z"] = lambda h, n: h.ranged(content)
    download = a_download(server.url("/z"), content=content, path="all.zip", unpack="images")
    assert fetch_files([download], tmp_path, policy=QUICK) == FetchSummary(0, 1)
    assert (tmp_path / "images/one/a.txt").read_text() == "A"
    assert only(tmp_path) == {"images/one/a.txt", "images/b.txt", "images/.unpacked"}
    assert fetch_files([download], tmp_path, policy=QUICK) == FetchSummary(1, 0)
    assert len(server.requests) == 1


def test_an_archive_does_not_overwrite_a_folder(server: Server, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/mine").write_text("mine")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("mine", "theirs")
    server.routes["/z"] = lambda h, n: h.ranged(buffer.getvalue())
    download = a_download(server.url("/z"), content=buffer.getvalue(), path="all.zip", unpack="images")
    for _ in range(2):
        with pytest.raises(FetchError, match="move it away"):
            fetch_files([download], tmp_path, policy=QUICK)
    assert (tmp_path / "images/mine").read_text() == "mine"
    assert len(server.requests) == 1  # the archive was kept
    (tmp_path / "images").rename(tmp_path / "away")
    assert fetch_files([download], tmp_path, policy=QUICK) == FetchSummary(0, 1)
    assert len(server.requests) == 1
    assert only(tmp_path) == {"away/mine", "images/mine", "images/.unpacked"}


def test_a_file_listed_twice_is_refused(tmp_path: Path) -> None:
    one = a_download("http://127.0.0.1:1/a")
    with pytest.raises(BadInput, match=r"images/a\.bin is listed twice"):
        fetch_files([one, one], tmp_path, policy=QUICK)


def test_importing_fetch_imports_no_requests() -> None:
    heavy = "{'numpy', 'requests', 'filelock', 'scipy', 'torch', 'PIL', 'urllib3'}"
    code = f"import sys, relattr.system.fetch; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]", os.fspath(sys.executable)


# ---------------------------------------------------------------------- exchanges without an end


class RawServer:
    """A server that sends whatever a function writes to the socket; it counts the bytes that were accepted."""

    def __init__(self, serve: Callable[[socket.socket], None], *, reads_request: bool = True) -> None:
        self._serve = serve
        self._reads_request = reads_request
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/f"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            request = b""
            while self._reads_request and b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:  # the client is gone
                    return
                request += part
            self._serve(connection)

    def close(self) -> None:
        self._socket.close()


def repeat(first: bytes, then: bytes, pause: float) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(then)
            time.sleep(pause)

    return serve


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "redirect body": repeat(b"HTTP/1.1 302 Found\r\nLocation: /f\r\n\r\n", b"x" * 65536, 0.0),
    "redirect body of stated length": repeat(
        b"HTTP/1.1 302 Found\r\nLocation: /f\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536, 0.0
    ),
    "100 Continue": repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "102 Processing": repeat(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.01),
    "slow status": repeat(b"HTTP/1.1", b" ", 0.05),
    "slow header": repeat(OK + b"X: ", b"a", 0.05),
    "slow headers": repeat(OK, b"X: a\r\n", 0.05),
    "headers": repeat(OK, b"X: a\r\n", 0.0),
    "header": repeat(OK + b"X: ", b"a" * 65536, 0.0),
    "slow body": repeat(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.05),
    "slow chunk header": repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x", 0.05),
    "slow trailer": repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n", 0.05),
    "body": repeat(OK + b"\r\n", b"x" * 65536, 0.0),
    "chunks": repeat(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n", 0.0),
    "silence": repeat(b"", b"", 0.05),
}
HASTY = RetryPolicy(tries=1, pause=0.01, connect_timeout=0.2, read_timeout=0.3)


@pytest.mark.parametrize("what", ENDLESS)
def test_an_exchange_without_an_end_is_ended(what: str, tmp_path: Path) -> None:
    server = RawServer(ENDLESS[what])
    download = a_download(server.url, content=b"y" * 100_000)
    try:
        with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
            fetch_files([download], tmp_path, policy=HASTY)
    finally:
        server.close()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 100_000]


def test_a_steady_but_too_slow_transfer_is_ended(tmp_path: Path) -> None:
    """Each window has enough bytes, but the whole file would take too long."""
    server = RawServer(repeat(OK + b"Content-Length: 100000\r\n\r\n", b"x" * 1100, 0.1))
    policy = RetryPolicy(tries=1, connect_timeout=0.2, read_timeout=0.3, min_rate=200_000.0)
    try:
        with pytest.raises(FetchError, match=r"took too long"):
            fetch_files([a_download(server.url, content=b"y" * 100_000)], tmp_path, policy=policy)
    finally:
        server.close()


def test_a_slow_tls_handshake_is_ended(tmp_path: Path) -> None:
    server = RawServer(repeat(b"\x16\x03\x03\x40\x00", b"\x02", 0.05), reads_request=False)
    try:
        with pytest.raises(FetchError, match=r"https://127\.0\.0\.1"):
            fetch_files([a_download(server.url.replace("http:", "https:"))], tmp_path, policy=HASTY)
    finally:
        server.close()


@pytest.mark.parametrize("what", ["100 Continue", "slow header", "slow chunk header", "silence", "redirect body"])
def test_an_interrupted_download_does_not_wait_for_the_server(what: str, tmp_path: Path) -> None:
    server = RawServer(ENDLESS[what])
    policy = RetryPolicy(tries=1, connect_timeout=300.0, read_timeout=300.0)
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fetch_files([a_download(server.url)], tmp_path, policy=policy)
    finally:
        interrupt.cancel()
        server.close()
