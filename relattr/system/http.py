"""One HTTP request for one file, with all checks of the response.

`Transfer.attempt` leaves a complete and verified ``.part`` file, or raises `RetryableError` where another attempt at
the same address may succeed, or `SourceUnavailable` where the address does not have the file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from relattr.system.digests import digest_file
from relattr.system.exchange import Exchange
from relattr.system.manifest import ManifestEntry

if TYPE_CHECKING:
    from requests import Response, Session

_BLOCK = 1 << 16
_MIN_BYTES_PER_TIMEOUT = 1024
"""Fewer bytes than this within one read timeout count as a stalled transfer."""


class RetryableError(Exception):
    """An attempt failed, but another one at the same address may succeed.

    ``wait``: seconds to wait, as requested by the server. ``counts``: whether it counts as one of the attempts.
    """

    def __init__(self, reason: str, wait: float = 0.0, *, counts: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.counts = counts


class SourceUnavailable(Exception):
    """An address does not have the file."""


@dataclass
class Transfer:
    """The download of one file from one address, in one or more attempts.

    Parameters
    ----------
    session, url : the session and the address of the requests.
    file : the expected size and SHA-256.
    part : the partial download; existing bytes are continued, whichever mirror they came from.
    connect_timeout, read_timeout : seconds to wait for a response, and for the next byte.
    min_rate : bytes per second; the whole exchange may take as long as the file takes at this rate, and both timeouts.
    on_data : called with the number of bytes in ``part``; may raise an exception to end the transfer.
    exchange : ends the requests at their deadlines; watches the session.
    """

    session: Session
    url: str
    file: ManifestEntry
    part: Path
    connect_timeout: float
    read_timeout: float
    min_rate: float
    on_data: Callable[[int], None]
    exchange: Exchange
    _etag: str = ""
    """The ETag of the version that the server was sending."""

    def attempt(self) -> None:
        """Send one request, complete ``part`` and verify it.

        Raises `RetryableError` or `SourceUnavailable`; OSError if ``part`` cannot be written.
        """
        have = file_size(self.part)
        if have > self.file.size:
            self.part.unlink()
            have = 0
        resumed = have > 0
        if have < self.file.size or not self.part.exists():
            headers = {"Accept-Encoding": "identity"}
            if resumed:
                headers["Range"] = f"bytes={have}-"
                if self._etag:
                    headers["If-Range"] = self._etag
            self.exchange.start(self.connect_timeout + self.read_timeout, self._total_timeout(have))
            try:
                with self._get(headers) as response:
                    start = self._body_offset(response, have)
                    etag = response.headers.get("ETag", "")
                    self._etag = "" if etag.startswith("W/") else etag  # If-Range does not accept weak ETags
                    self._read_body(response, start)
            except (RetryableError, SourceUnavailable):
                if self.exchange.ended:
                    raise RetryableError(self.exchange.ended) from None
                raise
            finally:
                self.exchange.finish()
        sha256 = digest_file(self.part)
        if sha256 == self.file.sha256:
            return
        self.part.unlink()
        if resumed:  # the earlier part may have been the invalid one
            raise RetryableError("the resumed file has another SHA-256", counts=False)
        raise SourceUnavailable(f"has SHA-256 {sha256}, expected {self.file.sha256}")

    def _total_timeout(self, have: int) -> float:
        """Seconds within which the rest of the file must be there."""
        return self.connect_timeout + self.read_timeout + (self.file.size - have) / self.min_rate

    def _get(self, headers: dict[str, str]) -> Response:
        """Send the request, and follow redirects without reading their bodies, which may have no end."""
        import requests
        import urllib3

        url = self.url
        try:
            for _ in range(self.session.max_redirects + 1):
                response = self.session.get(
                    url,
                    headers=headers,
                    stream=True,
                    timeout=(self.connect_timeout, self.read_timeout),
                    allow_redirects=False,
                )
                target = self.session.get_redirect_target(response)
                if target is None:
                    return response
                response.close()
                url = urljoin(url, target)
            raise requests.exceptions.TooManyRedirects
        except requests.exceptions.InvalidSchema as error:
            raise SourceUnavailable(f"leads to an address that is neither http nor https: {error}") from None
        except requests.exceptions.TooManyRedirects:
            raise SourceUnavailable(f"redirects more than {self.session.max_redirects} times") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise SourceUnavailable(f"is or leads to an invalid address: {error}") from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise RetryableError(_root_cause(error)) from None
        except (
            ValueError,
            urllib3.exceptions.HTTPError,
        ) as error:  # requests accepts it, urllib3 does not
            raise SourceUnavailable(f"is or leads to an invalid address: {error}") from None

    def _read_body(self, response: Response, start: int) -> None:
        """Write the body to ``part``, starting at byte ``start``."""
        import urllib3

        raw = response.raw
        read = getattr(raw, "read1", raw.read)  # read1 (urllib3 2) returns the bytes received so far
        have, window_start, window_offset = start, time.monotonic(), start
        self.exchange.extend(self.read_timeout + self.connect_timeout)
        with self.part.open("r+b" if self.part.exists() else "wb", buffering=0) as file:
            file.truncate(start)
            file.seek(start)
            while True:
                try:
                    block = read(_BLOCK, decode_content=False)
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    raise RetryableError(f"{_root_cause(error)} after {have:,} of {self.file.size:,} bytes") from None
                if not block:
                    break
                have += len(block)
                if have > self.file.size:
                    file.truncate(0)
                    raise SourceUnavailable(f"sends more than the {self.file.size:,} bytes expected")
                view = memoryview(block)
                while view:  # unbuffered, so that a killed process loses no data; `write` may write only a part
                    view = view[file.write(view) :]
                self.on_data(have)
                now = time.monotonic()
                if now - window_start > self.read_timeout:
                    if have - window_offset < _MIN_BYTES_PER_TIMEOUT:
                        raise RetryableError(f"sent {have - window_offset} bytes in {now - window_start:.0f} s")
                    window_start, window_offset = now, have
                    self.exchange.extend(self.read_timeout + self.connect_timeout)
        if have < self.file.size:
            raise RetryableError(f"ended after {have:,} of {self.file.size:,} bytes")

    def _body_offset(self, response: Response, have: int) -> int:
        """The position of the body in the file. Raises an error if the response is not the file."""
        status, length = response.status_code, response.headers.get("Content-Length", "")
        if status == 416:  # the file on the server is shorter than `part`
            self.part.unlink(missing_ok=True)
            raise RetryableError("has fewer bytes than requested (416)")
        if status in (408, 425, 429) or status >= 500:
            wait = response.headers.get("Retry-After", "")
            raise RetryableError(f"answered {status} {response.reason}", float(wait) if wait.isdecimal() else 0.0)
        if status not in (200, 206) or (status == 206 and not have):
            raise SourceUnavailable(f"answered {status} {response.reason}")
        if response.headers.get("Content-Encoding", "identity") not in ("", "identity"):
            raise SourceUnavailable(
                f"encoded the file ({response.headers['Content-Encoding']}) though an unencoded one was requested"
            )
        start = 0
        if status == 206:
            ranged = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
            if ranged is None or int(ranged[1]) != have:
                self.part.unlink(missing_ok=True)
                raise RetryableError(f"answered with bytes {response.headers.get('Content-Range')!r}, expected {have}-")
            start = have
            if ranged[3] != "*" and int(ranged[3]) != self.file.size:
                raise SourceUnavailable(f"has {int(ranged[3]):,} bytes, expected {self.file.size:,}")
        if length.isdecimal() and start + int(length) != self.file.size:
            kind = response.headers.get("Content-Type", "no type")
            raise SourceUnavailable(f"announces {start + int(length):,} bytes of {kind}, expected {self.file.size:,}")
        return start


def _root_cause(error: BaseException) -> str:
    """The message of the innermost cause of an error, shortened."""
    seen: set[int] = set()
    while (cause := error.__cause__ or error.__context__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        error = cause
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."


def file_size(path: Path) -> int:
    """The size of a file in bytes; 0 if it does not exist."""
    with suppress(OSError):
        return path.stat().st_size
    return 0
