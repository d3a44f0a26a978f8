"""Fetches files: downloads resume after an interruption, are verified by SHA-256, and appear when complete.

The SHA-256 identifies a file, so its bytes may come from any mirror, or partly from several. They are written to
``.<name>.<sha256>.part`` in the same folder, where a later call continues; only a verified file gets its final name.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from relattr.errors import BadInput, Blocked
from relattr.progress import Advance, track
from relattr.system import archive
from relattr.system.download import Download
from relattr.system.exchange import Exchange, Watchdog
from relattr.system.http import RetryableError, SourceUnavailable, Transfer, file_size
from relattr.system.manifest import describe_mismatch
from relattr.system.paths import is_offline

if TYPE_CHECKING:
    from filelock import FileLock
    from requests import Session

_MIN_PROGRESS = 1 << 20
"""Bytes; after an attempt that downloaded at least as many, the attempts are counted from the start again."""
_LOCK_FILES = 64
_MAX_LISTED = 5


class FetchError(Blocked):
    """Some files could not be downloaded; the message has each file, and the reason for each of its addresses."""


@dataclass(frozen=True)
class RetryPolicy:
    """Parallel downloads, attempts, pauses and timeouts. Times are in seconds.

    Parameters
    ----------
    workers : files that are downloaded in parallel.
    tries : attempts at one mirror without progress.
    pause, max_pause : the first pause between two attempts, which doubles up to the maximum. A server's Retry-After
        is respected up to the maximum.
    connect_timeout, read_timeout : limits on the time for a connection, and on the time without a byte.
    min_rate : bytes per second; one attempt may take as long as its part of the file takes at this rate, and the two
        timeouts. The next attempt continues where it ended.
    max_host_failures : files in a row that one host fails to serve, each after all attempts, before no more requests
        are sent to it.
    sleep : called for the pauses; the default is a pause that ends when the download is interrupted.
    """

    workers: int = 8
    tries: int = 4
    pause: float = 1.0
    max_pause: float = 60.0
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    min_rate: float = 16 * 1024.0
    max_host_failures: int = 5
    sleep: Callable[[float], object] | None = None


@dataclass(frozen=True)
class FetchSummary:
    """How many files were already present and valid, and how many were downloaded."""

    present: int
    fetched: int


def fetch_files(
    downloads: Iterable[Download], root: Path, *, what: str = "files", policy: RetryPolicy | None = None
) -> FetchSummary:
    """Download the files that are missing below ``root``, or do not have the expected SHA-256.

    A valid file is not changed; an invalid one is replaced. Files are downloaded in parallel, and several processes
    may download the same files at the same time. A failed download does not prevent the others. ``what`` describes
    the files in the progress and in messages.

    Raises
    ------
    Blocked : RELATTR_OFFLINE is set and some file is missing.
    FetchError : some file could not be downloaded from any mirror, or not written.
    BadInput : two downloads of one path.
    """
    downloads = list(downloads)
    twice = [path for path, n in Counter(download.path for download in downloads).items() if n > 1]
    if twice:
        raise BadInput(f"{twice[0]} is listed twice among the downloads of {what}")
    missing = _missing(downloads, root)
    present = len(downloads) - len(missing)
    if not missing:
        return FetchSummary(present, 0)
    if is_offline():
        names = _first_lines([f"{d.path} ({d.mirrors[0]})" for d in missing])
        raise Blocked(
            f"RELATTR_OFFLINE is set, and {len(missing):,} of {len(downloads):,} {what} are not in {root}:\n{names}\n"
            "unset RELATTR_OFFLINE, or copy the files there yourself"
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise FetchError(f"cannot create the folder {root} for {what}: {error.strerror}") from error
    needed = sum(max(0, d.size - file_size(d.partial_path(root))) for d in missing)
    if needed > free:
        raise FetchError(f"{what} need {needed:,} bytes more, but {root} has {free:,} free")
    with track(f"downloading {what}", sum(d.size for d in missing)) as advance:
        _DownloadQueue(root, missing, policy or RetryPolicy(), advance).run(what)
    return FetchSummary(present, len(missing))


def _missing(downloads: Sequence[Download], root: Path) -> list[Download]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        present = list(pool.map(lambda download: download.is_present(root), downloads))
    return [download for download, is_present in zip(downloads, present, strict=True) if not is_present]


def _first_lines(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _MAX_LISTED:,} more"] if len(lines) > _MAX_LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:_MAX_LISTED], *more])


class _Cancelled(Exception):
    """Another thread has failed permanently, or the user has interrupted the download."""


class _DownloadQueue:
    """The files of one call of `fetch_files`, and the threads that download them."""

    def __init__(self, root: Path, downloads: Sequence[Download], policy: RetryPolicy, advance: Advance) -> None:
        self.root = root
        self.policy = policy
        self._queue = deque(downloads)
        self._total = len(downloads)
        self._deferred: set[str] = set()
        self._failures: list[str] = []
        self._fatal: str | None = None
        self._stop = threading.Event()
        self._watchdog = Watchdog()
        self._sleep = policy.sleep or self._stop.wait
        self._advance = advance
        self._lock = threading.Lock()
        self._reported: Counter[str] = Counter()
        self._host_failures: Counter[str] = Counter()

    def run(self, what: str) -> None:
        n = max(1, min(self.policy.workers, self._total))
        with (
            self._watchdog,
            ThreadPoolExecutor(n, thread_name_prefix="fetch_files") as pool,
        ):
            workers = [pool.submit(self._work) for _ in range(n)]
            try:
                for worker in workers:
                    worker.result()
            finally:
                self._stop.set()
                self._watchdog.stop()  # a thread that waits for a server does not prevent the end
        if self._fatal is not None:
            raise FetchError(self._fatal)
        if self._failures:
            raise FetchError(
                f"could not download {len(self._failures):,} of {self._total:,} {what} into {self.root}:\n"
                f"{_first_lines(sorted(self._failures))}\n"
                "downloaded files stay in place; run the same command again to continue"
            )

    def _work(self) -> None:
        import requests

        from relattr import __version__

        with requests.Session() as session:  # one per thread, so that connections are reused
            session.max_redirects = 5
            session.headers["User-Agent"] = f"relattr/{__version__}"
            exchange = self._watchdog.new_exchange()
            exchange.watch(session)
            while not self._stop.is_set():
                with self._lock:
                    if not self._queue:
                        return
                    download = self._queue.popleft()
                    deferred = download.path in self._deferred
                try:
                    if not self._fetch_one(session, exchange, download, wait=0.2 if deferred else 0.0):
                        with self._lock:  # another process downloads it; check again later
                            self._deferred.add(download.path)
                            self._queue.append(download)
                except _Cancelled:
                    return
                except (SourceUnavailable, BadInput) as error:
                    with self._lock:
                        self._failures.append(f"{download.path}: {error}")
                except OSError as error:  # a full disk, or a file in place of a folder: other files would fail too
                    self._fatal = f"cannot write {self.root / download.path}: {error}"
                    self._stop.set()
                except BaseException:
                    self._stop.set()
                    raise

    def _fetch_one(self, session: Session, exchange: Exchange, download: Download, wait: float) -> bool:
        """Download one file. Returns False if another process still downloads it after ``wait`` seconds."""
        from filelock import Timeout

        lock = self._file_lock(download)
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            return False
        try:
            if not download.is_present(self.root):  # else another process has downloaded it
                self._download(session, exchange, download)
            self._report(download, download.size)
            return True
        finally:
            lock.release()

    def _file_lock(self, download: Download) -> FileLock:
        """A lock on this file against other threads and processes. Files share lock files, which are never removed."""
        from filelock import FileLock

        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{int(download.sha256[:8], 16) % _LOCK_FILES:02d}.lock", thread_local=False)

    def _download(self, session: Session, exchange: Exchange, download: Download) -> None:
        final = self.root / download.path
        final.parent.mkdir(parents=True, exist_ok=True)
        if download.unpack is not None and describe_mismatch(final, download.sha256, download.size) is None:
            self._unpack(final, download)  # downloaded by an earlier call that could not unpack it
            return
        part = download.partial_path(self.root)
        reasons = []
        for url in download.mirrors:
            host = urlsplit(url).netloc
            if self._host_failures[host] >= self.policy.max_host_failures:
                reasons.append(f"{url}: skipped, because {host} failed to serve several files in a row")
                continue
            try:
                self._download_from(session, exchange, url, download, part)
            except SourceUnavailable as error:
                reasons.append(f"{url}: {error}")
                continue
            except OSError:
                part.unlink(missing_ok=True)  # free the disk space
                raise
            self._publish(part, final, download)
            return
        raise SourceUnavailable("; ".join(reasons))

    def _publish(self, part: Path, final: Path, download: Download) -> None:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, final)
        if download.unpack is not None:
            self._unpack(final, download)

    def _unpack(self, final: Path, download: Download) -> None:
        """Unpack a verified archive, then remove it."""
        assert download.unpack is not None
        archive.unpack_zip(final, self.root / download.unpack, download.sha256)
        final.unlink(missing_ok=True)

    # ------------------------------------------------------------------ one mirror

    def _download_from(self, session: Session, exchange: Exchange, url: str, download: Download, part: Path) -> None:
        """Complete and verify ``part`` from one address. Raises `SourceUnavailable` when all attempts have failed."""
        host, tries, furthest = urlsplit(url).netloc, 0, file_size(part)
        policy = self.policy

        def on_data(have: int) -> None:
            self._check_stop()
            self._report(download, have)

        transfer = Transfer(
            session,
            url,
            download.entry,
            part,
            policy.connect_timeout,
            policy.read_timeout,
            policy.min_rate,
            on_data,
            exchange,
        )
        while True:
            self._check_stop()
            try:
                transfer.attempt()
                self._host_failures[host] = 0
                return
            except RetryableError as error:
                if not error.counts:
                    continue
                have = file_size(part)
                tries = 1 if have >= furthest + _MIN_PROGRESS else tries + 1
                furthest = max(furthest, have)
                if tries >= policy.tries:
                    self._host_failures[host] += 1
                    raise SourceUnavailable(f"{error} ({tries} {'try' if tries == 1 else 'tries'})") from None
                pause = min(policy.pause * 2 ** (tries - 1), policy.max_pause)
                self._sleep(max(pause, min(error.wait, policy.max_pause)))

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Cancelled

    def _report(self, download: Download, have: int) -> None:
        """Report progress; bytes that are downloaded again after a failure count only once."""
        with self._lock:
            new = have - self._reported[download.path]
            if new > 0:
                self._reported[download.path] = have
                self._advance(new)
