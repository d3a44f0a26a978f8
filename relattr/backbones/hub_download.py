"""Downloads of weights from torch.hub's server and the Hugging Face hub, in a process with limits.

The size of these files is not known beforehand, and the hub downloads with a library of its own. A process of its own
does it, and is ended when it takes too long, is far too slow, or needs too much memory or disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from relattr.errors import clean_text, describe_error

DECIDES_RESULTS = False

MAX_BYTES = 64 << 30
"""Bytes of a file, including a partial one."""
MAX_MEMORY = 4 << 30
"""Bytes of memory of the process that downloads."""
GRACE, MIN_RATE = 60.0, 16 * 1024.0
"""A download may take ``GRACE`` seconds, and the time that its bytes take at ``MIN_RATE`` bytes per second."""
SILENCE = 30.0
"""Seconds without data after which a connection is closed."""
_LOOK_INTERVAL = 0.25


class DownloadError(Exception):
    """The file could not be downloaded; the message is the reason."""


def download_url(url: str, path: Path, sha256_digits: str) -> None:
    """Download a file whose SHA-256 begins with these digits; it appears at ``path`` only when it is complete.

    Raises `DownloadError`, and OSError if the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _run_limited("url", url, str(part), sha256_digits)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def download_from_hugging_face(repo: str, file: str, cache: Path) -> None:
    """Download a file of a repository of the Hugging Face hub into its cache. Raises `DownloadError`."""
    _run_limited("hugging face", repo, file, str(cache))


def _run_limited(*arguments: str) -> None:
    """Run `_download` in another process. Raises `DownloadError` with its error, or with the limit that ended it."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import _download; _download(sys.argv[1:])"
    environment = {**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    limits = json.dumps([MAX_BYTES, MAX_MEMORY, SILENCE])
    with subprocess.Popen(
        [sys.executable, "-c", code, limits, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        try:
            answer = _wait(process)
        finally:
            process.kill()
    error = answer.strip().decode(errors="replace").rpartition("\n")[2]
    if process.returncode != 0 and not error:
        error = f"its process ended with exit code {process.returncode}"
    if error:
        raise DownloadError(clean_text(error, 1000))


def _wait(process: subprocess.Popen[bytes]) -> bytes:
    """Return what the process wrote when it ends. Raises `DownloadError` if it is too slow."""
    started = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=_LOOK_INTERVAL)[0]
        except subprocess.TimeoutExpired:
            took, written = time.monotonic() - started, _bytes_written(process.pid)
            if took > GRACE + min(written, MAX_BYTES) / MIN_RATE:
                raise DownloadError(f"took too long: {written:,} bytes in {took:.0f} s") from None


def _bytes_written(pid: int) -> int:
    """The bytes that a process has written to files; `MAX_BYTES` where there is no /proc, so that none is too slow."""
    try:
        with open(f"/proc/{pid}/io", "rb") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(b"wchar"))
    except (OSError, ValueError, StopIteration):
        return 0 if os.path.isdir("/proc/self") else MAX_BYTES


# ---------------------------------------------------------------------- in the process


def _download(arguments: list[str]) -> None:
    """Download what the arguments of `_run_limited` say, and print the error, if any, in one line."""
    (max_bytes, max_memory, silence), (kind, *rest) = json.loads(arguments[0]), arguments[1:]
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print progress and warnings
    try:
        _limit_resources(max_bytes, max_memory)
        if kind == "url":
            _copy_url(*rest, silence=silence)
        else:
            _copy_from_hub(*rest, silence=silence)
    except BaseException as error:  # every error means that there is no file
        os.write(output, describe_error(error).replace("\n", " ").encode(errors="replace"))
        os._exit(1)
    os._exit(0)


def _limit_resources(max_bytes: int, max_memory: int) -> None:
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: nobody else watches the limits
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for kind, limit in ((resource.RLIMIT_FSIZE, max_bytes), (resource.RLIMIT_DATA, max_memory)):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _copy_url(url: str, path: str, digits: str, *, silence: float) -> None:
    from urllib.request import Request, urlopen

    digest = hashlib.sha256()
    request = Request(url, headers={"User-Agent": "relattr"})  # noqa: S310 - an address from relattr's own list
    with urlopen(request, timeout=silence) as response, open(path, "wb") as file:  # noqa: S310
        length = response.headers.get("Content-Length", "")
        while block := response.read(1 << 20):
            digest.update(block)
            file.write(block)
        have = file.tell()
    if length.isdecimal() and have != int(length):
        raise ValueError(f"ended after {have:,} of {int(length):,} bytes")
    if not digest.hexdigest().startswith(digits):
        raise ValueError(f"has the SHA-256 {digest.hexdigest()}, expected one that begins with {digits}")


def _copy_from_hub(repo: str, file: str, cache: str, *, silence: float) -> None:
    import socket

    socket.setdefaulttimeout(silence)
    from huggingface_hub import hf_hub_download

    result: Any = hf_hub_download(repo, file, cache_dir=cache)
    if not os.path.isfile(result):
        raise FileNotFoundError(f"the hub's library wrote no file {file}")
