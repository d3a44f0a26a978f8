"""Files from the network: resumed where they were cut, checked against a SHA-256, and put in place whole.

A file is known by its SHA-256, so it does not matter which mirror, or how many of them, its bytes came
from. They go to ``.<name>.<sha256>.part`` in the same folder, which a later call continues, and only a
file that is right is renamed to its name.
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
from relattr.system.http import RetryableError, SourceUnavailable, Transfer, file_size
from relattr.system.manifest import ManifestEntry, check_path, describe_mismatch
from relattr.system.paths import is_offline

if TYPE_CHECKING:
    from filelock import FileLock
    from requests import Session

_GAIN = 1 << 20
"""A try that brought this many bytes counts as progress, however it ended."""
_STRIPES = 64
_SHOWN = 5


class FetchError(Blocked):
    """Files that could not be had; the message names each, every address tried, and what was wrong there."""


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    Parameters
    ----------
    path : where it goes, relative to the dataset's folder, with forward slashes.
    mirrors : http or https addresses of the same bytes, tried in this order.
    sha256, size : what those bytes are: 64 hexadecimal digits, and how many.
    unpack : where given, the file is a zip archive, unpacked into this folder (relative, like ``path``)
        and then removed.

    Raises `BadInput` for a path that leaves the folder, an address of another scheme, or no address.
    """

    path: str
    mirrors: tuple[str, ...]
    sha256: str
    size: int
    unpack: str | None = None

    def __post_init__(self) -> None:
        _ = self.entry  # the same rules hold for it
        if self.unpack is not None:
            check_path(self.unpack)
        if not self.mirrors:
            raise BadInput(f"{self.path} has no mirror to fetch it from")
        for url in self.mirrors:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise BadInput(f"{self.path}: {url!r} is not an http or https address")

    @property
    def entry(self) -> ManifestEntry:
        """What the file must be."""
        return ManifestEntry(self.path, self.sha256, self.size)


@dataclass(frozen=True)
class RetryPolicy:
    """How hard to try. Times are in seconds.

    ``tries`` at one mirror without progress, with a pause after each that starts at ``pause`` and
    doubles up to ``longest_pause`` (a server's Retry-After is heeded up to the latter); ``connect`` to
    be answered at all; ``stall`` without a byte; ``dead_host``: files in a row that one host failed to
    serve, each after all its tries, before it is asked for no more.
    """

    workers: int = 8
    tries: int = 4
    pause: float = 1.0
    longest_pause: float = 60.0
    connect: float = 10.0
    stall: float = 30.0
    dead_host: int = 5
    sleep: Callable[[float], object] | None = None
    """Called for the pauses; by default they end at once when the fetch is interrupted."""


@dataclass(frozen=True)
class FetchSummary:
    """What a call did: files that were there and right already, and files that it put in place."""

    present: int
    fetched: int


def fetch_files(
    downloads: Iterable[Download], root: Path, *, what: str = "files", patience: RetryPolicy | None = None
) -> FetchSummary:
    """Have these files below ``root``, whole and with the right SHA-256; fetch those that are not.

    A file that is there and right is left alone; one that is there and wrong is replaced. Several files
    are fetched at a time, and several processes may fetch the same ones together. If some cannot be had,
    all others still are. ``what`` names them in the progress and in messages.

    Raises
    ------
    Blocked : RELATTR_OFFLINE is set and something is missing.
    FetchError : some file could not be had from any mirror, or written.
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
        names = _some([f"{d.path} ({d.mirrors[0]})" for d in missing])
        raise Blocked(
            f"RELATTR_OFFLINE is set, and {len(missing):,} of {len(downloads):,} {what} are not in {root}:\n{names}\n"
            "unset it, or put the files there by hand"
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise FetchError(f"cannot make the folder {root} for {what}: {error.strerror}") from error
    needed = sum(max(0, d.size - file_size(_part(root, d))) for d in missing)
    if needed > free:
        raise FetchError(f"{what} need {needed:,} bytes more, but {root} has {free:,} free")
    with track(f"downloading {what}", sum(d.size for d in missing)) as advance:
        _Run(root, missing, patience or RetryPolicy(), advance).run(what)
    return FetchSummary(present, len(missing))


def _missing(downloads: Sequence[Download], root: Path) -> list[Download]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        there = list(pool.map(lambda download: _is_there(root, download), downloads))
    return [download for download, is_there in zip(downloads, there, strict=True) if not is_there]


def _is_there(root: Path, download: Download) -> bool:
    if download.unpack is not None:
        return archive.is_unpacked(root / download.unpack, download.sha256)
    return describe_mismatch(root / download.path, download.sha256, download.size) is None


def _part(root: Path, download: Download) -> Path:
    """Where what has come of a file so far lies."""
    final = root / download.path
    return final.with_name(f".{final.name}.{download.sha256[:16]}.part")


def _some(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:_SHOWN], *more])


class _Stop(Exception):
    """Another thread failed for good, or the user interrupted."""


class _Run:
    """One call of `fetch_files`: a queue of files, and workers that empty it."""

    def __init__(self, root: Path, downloads: Sequence[Download], patience: RetryPolicy, advance: Advance) -> None:
        self.root = root
        self.patience = patience
        self._queue = deque(downloads)
        self._total = len(downloads)
        self._deferred: set[str] = set()
        self._failures: list[str] = []
        self._fatal: str | None = None
        self._stop = threading.Event()
        self._sleep = patience.sleep or self._stop.wait
        self._advance = advance
        self._lock = threading.Lock()
        self._shown: Counter[str] = Counter()
        self._host_failures: Counter[str] = Counter()

    def run(self, what: str) -> None:
        n = max(1, min(self.patience.workers, self._total))
        with ThreadPoolExecutor(n, thread_name_prefix="fetch_files") as pool:
            workers = [pool.submit(self._work) for _ in range(n)]
            try:
                for worker in workers:
                    worker.result()
            finally:
                self._stop.set()
        if self._fatal is not None:
            raise FetchError(self._fatal)
        if self._failures:
            raise FetchError(
                f"could not fetch {len(self._failures):,} of {self._total:,} {what} into {self.root}:\n"
                f"{_some(sorted(self._failures))}\nwhat was fetched is kept; the same command continues from there"
            )

    def _work(self) -> None:
        import requests

        from relattr import __version__

        with requests.Session() as session:  # one a thread: it keeps its connections open
            session.max_redirects = 5
            session.headers["User-Agent"] = f"relattr/{__version__}"
            while not self._stop.is_set():
                with self._lock:
                    if not self._queue:
                        return
                    download = self._queue.popleft()
                    seen = download.path in self._deferred
                try:
                    if not self._one(session, download, wait=0.2 if seen else 0.0):
                        with self._lock:  # another process has it; see later whether it succeeded
                            self._deferred.add(download.path)
                            self._queue.append(download)
                except _Stop:
                    return
                except (SourceUnavailable, BadInput) as error:
                    with self._lock:
                        self._failures.append(f"{download.path}: {error}")
                except OSError as error:  # a full disk, a folder that is a file: others would fail too
                    self._fatal = f"cannot write {self.root / download.path}: {error}"
                    self._stop.set()
                except BaseException:
                    self._stop.set()
                    raise

    def _one(self, session: Session, download: Download, wait: float) -> bool:
        """Have one file, unless another process is at it: then False, after ``wait`` seconds."""
        from filelock import Timeout

        lock = self._file_lock(download)
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            return False
        try:
            if not _is_there(self.root, download):  # else another process was faster
                self._from_any_mirror(session, download)
            self._show(download, download.size)
            return True
        finally:
            lock.release()

    def _file_lock(self, download: Download) -> FileLock:
        """A lock on this file against other threads and processes; a few lock files serve all, and stay."""
        from filelock import FileLock

        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{int(download.sha256[:8], 16) % _STRIPES:02d}.lock", thread_local=False)

    def _from_any_mirror(self, session: Session, download: Download) -> None:
        final = self.root / download.path
        final.parent.mkdir(parents=True, exist_ok=True)
        if download.unpack is not None and describe_mismatch(final, download.sha256, download.size) is None:
            self._unpack(final, download)  # it was fetched before, and could not be unpacked
            return
        part = _part(self.root, download)
        reasons = []
        for url in download.mirrors:
            host = urlsplit(url).netloc
            if self._host_failures[host] >= self.patience.dead_host:
                reasons.append(f"{url}: not asked again, {host} failed to serve several files in a row")
                continue
            try:
                self._from_mirror(session, url, download, part)
            except SourceUnavailable as error:
                reasons.append(f"{url}: {error}")
                continue
            except OSError:
                part.unlink(missing_ok=True)  # give the space back
                raise
            self._put(part, final, download)
            return
        raise SourceUnavailable("; ".join(reasons))

    def _put(self, part: Path, final: Path, download: Download) -> None:
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        os.replace(part, final)
        if download.unpack is not None:
            self._unpack(final, download)

    def _unpack(self, final: Path, download: Download) -> None:
        """Unpack an archive that is whole; it goes when its files are there."""
        assert download.unpack is not None
        archive.unpack_zip(final, self.root / download.unpack, download.sha256)
        final.unlink(missing_ok=True)

    # ------------------------------------------------------------------ one mirror

    def _from_mirror(self, session: Session, url: str, download: Download, part: Path) -> None:
        """Have ``part`` whole and right from this address. Raises `SourceUnavailable` when it gives up on it."""
        host, tries, furthest = urlsplit(url).netloc, 0, file_size(part)
        patience = self.patience

        def arrived(have: int) -> None:
            self._check_stop()
            self._show(download, have)

        transfer = Transfer(session, url, download.entry, part, patience.connect, patience.stall, arrived)
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
                tries = 1 if have >= furthest + _GAIN else tries + 1
                furthest = max(furthest, have)
                if tries >= patience.tries:
                    self._host_failures[host] += 1
                    raise SourceUnavailable(f"{error} ({tries} {'try' if tries == 1 else 'tries'})") from None
                pause = min(patience.pause * 2 ** (tries - 1), patience.longest_pause)
                self._sleep(max(pause, min(error.wait, patience.longest_pause)))

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stop

    def _show(self, download: Download, have: int) -> None:
        """Report bytes that were not reported before: a file fetched twice still counts once."""
        with self._lock:
            new = have - self._shown[download.path]
            if new > 0:
                self._shown[download.path] = have
                self._advance(new)
