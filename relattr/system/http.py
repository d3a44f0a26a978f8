"""One request for one file: what a server can answer, and what of it to believe.

`attempt` ends in one of three ways: the ``.part`` file is whole and right; `RetryableError`, where the same
address may do better next time; `SourceUnavailable`, where it does not have the file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from relattr.system.digests import digest_file
from relattr.system.manifest import ManifestEntry

if TYPE_CHECKING:
    from requests import Response, Session

_BLOCK = 1 << 16
_SLOWEST = 1024
"""Fewer bytes than this in a whole stall timeout are a stall too."""


class RetryableError(Exception):
    """A try failed, but another one at the same address may not.

    ``wait``: seconds that the server asked for. ``counts``: whether it is one of the tries that an
    address has.
    """

    def __init__(self, why: str, wait: float = 0.0, *, counts: bool = True) -> None:
        super().__init__(why)
        self.wait = wait
        self.counts = counts


class SourceUnavailable(Exception):
    """An address does not have the file."""


@dataclass
class Transfer:
    """One file from one address, in as many attempts as its owner has patience for.

    Parameters
    ----------
    file : what the bytes must be.
    part : where they are collected; bytes that are there already are continued, whoever sent them.
    connect, stall : seconds to wait for an answer, and for the next byte.
    arrived : called with the bytes now in ``part``; may raise to end the transfer.
    """

    session: Session
    url: str
    file: ManifestEntry
    part: Path
    connect: float
    stall: float
    arrived: Callable[[int], None]
    _tag: str = ""
    """Which version the server was sending, in its own words (ETag)."""

    def attempt(self) -> None:
        """Send one request and leave ``part`` whole and right.

        Raises `RetryableError` or `SourceUnavailable`; OSError where ``part`` cannot be written.
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
                if self._tag:
                    headers["If-Range"] = self._tag
            with self._get(headers) as response:
                start = self._start(response, have)
                etag = response.headers.get("ETag", "")
                self._tag = "" if etag.startswith("W/") else etag  # If-Range takes no weak ones
                self._receive(response, start)
        got = digest_file(self.part)
        if got == self.file.sha256:
            return
        self.part.unlink()
        if resumed:  # what was there before may have been the wrong half
            raise RetryableError("the continued file was wrong", counts=False)
        raise SourceUnavailable(f"has SHA-256 {got}, expected {self.file.sha256}")

    def _get(self, headers: dict[str, str]) -> Response:
        import requests
        import urllib3

        try:
            return self.session.get(self.url, headers=headers, stream=True, timeout=(self.connect, self.stall))
        except requests.exceptions.InvalidSchema as error:
            raise SourceUnavailable(f"leads to an address that is neither http nor https: {error}") from None
        except requests.exceptions.TooManyRedirects:
            raise SourceUnavailable(f"redirects more than {self.session.max_redirects} times") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise SourceUnavailable(f"is or leads to an invalid address: {error}") from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise RetryableError(_reason(error)) from None
        except (ValueError, urllib3.exceptions.HTTPError) as error:  # of an address that requests lets through
            raise SourceUnavailable(f"is or leads to an invalid address: {error}") from None

    def _receive(self, response: Response, start: int) -> None:
        """Append the body to ``part``, from its byte ``start`` on."""
        import urllib3

        raw = response.raw
        read = getattr(raw, "read1", raw.read)  # read1, of urllib3 2, hands out what has come so far
        have, mark, marked = start, time.monotonic(), start
        with self.part.open("r+b" if self.part.exists() else "wb", buffering=0) as file:
            file.truncate(start)
            file.seek(start)
            while True:
                try:
                    block = read(_BLOCK, decode_content=False)
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    raise RetryableError(f"{_reason(error)} after {have:,} of {self.file.size:,} bytes") from None
                if not block:
                    break
                have += len(block)
                if have > self.file.size:
                    file.truncate(0)
                    raise SourceUnavailable(f"sends more than the {self.file.size:,} bytes expected")
                view = memoryview(block)
                while view:  # unbuffered, so that a killed process loses nothing; it may write less than asked
                    view = view[file.write(view) :]
                self.arrived(have)
                now = time.monotonic()
                if now - mark > self.stall:
                    if have - marked < _SLOWEST:
                        raise RetryableError(f"sent {have - marked} bytes in {now - mark:.0f} s")
                    mark, marked = now, have
        if have < self.file.size:
            raise RetryableError(f"ended after {have:,} of {self.file.size:,} bytes")

    def _start(self, response: Response, have: int) -> int:
        """The byte that the body of this answer begins at; or raise for an answer that is not the file."""
        status, length = response.status_code, response.headers.get("Content-Length", "")
        if status == 416:  # nothing to continue there: their file is shorter than what we have
            self.part.unlink(missing_ok=True)
            raise RetryableError("has fewer bytes than were asked for (416)")
        if status in (408, 425, 429) or status >= 500:
            wait = response.headers.get("Retry-After", "")
            raise RetryableError(f"answered {status} {response.reason}", float(wait) if wait.isdecimal() else 0.0)
        if status not in (200, 206) or (status == 206 and not have):
            raise SourceUnavailable(f"answered {status} {response.reason}")
        if response.headers.get("Content-Encoding", "identity") not in ("", "identity"):
            raise SourceUnavailable(
                f"encoded the file ({response.headers['Content-Encoding']}) though it was asked not to"
            )
        start = 0
        if status == 206:
            ranged = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
            if ranged is None or int(ranged[1]) != have:
                self.part.unlink(missing_ok=True)
                raise RetryableError(
                    f"answered with bytes {response.headers.get('Content-Range')!r}, asked for {have}-"
                )
            start = have
            if ranged[3] != "*" and int(ranged[3]) != self.file.size:
                raise SourceUnavailable(f"has {int(ranged[3]):,} bytes, expected {self.file.size:,}")
        if length.isdecimal() and start + int(length) != self.file.size:
            kind = response.headers.get("Content-Type", "no type")
            raise SourceUnavailable(f"announces {start + int(length):,} bytes of {kind}, expected {self.file.size:,}")
        return start


def _reason(error: BaseException) -> str:
    """The innermost cause of a failed connection, in a few words."""
    seen: set[int] = set()
    while (cause := error.__cause__ or error.__context__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        error = cause
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."


def file_size(path: Path) -> int:
    """Bytes in this file; 0 if there is none."""
    with suppress(OSError):
        return path.stat().st_size
    return 0
