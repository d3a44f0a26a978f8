"""Memory of a cell that need not be mapped by any of its processes: memfd, files in /dev/shm, System V segments.

The resident memory of processes does not include it, and files in /dev/shm and segments outlive their processes. What
a process of a cell has open, and what did not exist when the cell started, belongs to the cell: it counts against the
limit, and is removed when the cell ends. A file that was created and closed between two looks is not noticed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterable
from pathlib import Path

FOLDER = "/dev/shm"  # noqa: S108 (the system's folder of shared memory, not one for temporary files)
_SEGMENTS = "/proc/sysvipc/shm"
_DELETED = " (deleted)"
_IPC_RMID = 0
TRACKER_GRACE = 0.5
"""Seconds that a process of `multiprocessing` gets to remove the segments of a process that has ended."""


class SharedMemory:
    """The shared memory of one cell, from its start to its end."""

    def __init__(self) -> None:
        self._earlier = _names()
        self._inherited = {(status.st_dev, status.st_ino) for _, status in _open_files(os.getpid())}
        self._files: dict[str, tuple[int, int]] = {}
        self._segments: set[int] = set()
        self._pids: set[int] = set()

    def measure(self, pids: Iterable[int]) -> int:
        """The bytes of all shared memory of the cell, mapped or not; ``pids`` are its processes now."""
        pids = list(pids)
        self._pids.update(pids)
        sizes: dict[tuple[int, int], int] = {}
        for pid in pids:
            for path, status in _open_files(pid):
                inode = status.st_dev, status.st_ino
                if inode in self._inherited:
                    continue
                if path.startswith(f"{FOLDER}/") and not path.endswith(_DELETED):
                    if path[len(FOLDER) + 1 :].partition("/")[0] in self._earlier:
                        continue
                    self._files[path] = inode
                sizes[inode] = status.st_blocks * 512
        for path, inode in list(self._files.items()):  # also those that are closed now
            if inode not in sizes:
                try:
                    status = os.stat(path)
                except OSError:
                    del self._files[path]
                    continue
                if (status.st_dev, status.st_ino) == inode:
                    sizes[inode] = status.st_blocks * 512
        return sum(sizes.values()) + self._measure_segments()

    def _measure_segments(self) -> int:
        total = 0
        for identifier, creator, resident in _segments():
            if creator in self._pids:
                self._segments.add(identifier)
                total += resident
        return total

    def remove(self) -> None:
        """Remove the files and segments of the cell, whose processes have ended."""
        for path, inode in self._files.items():
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if (status.st_dev, status.st_ino) == inode:
                    os.unlink(path)
                    folder = os.path.dirname(path)
                    while folder != FOLDER:
                        os.rmdir(folder)
                        folder = os.path.dirname(folder)
        if self._segments:
            for identifier, creator, _ in _segments():
                if identifier in self._segments and creator in self._pids:
                    ctypes.CDLL(None).shmctl(identifier, _IPC_RMID, None)


def mapped_shared_memory(pids: Iterable[int]) -> int:
    """Sum over processes of the shared memory that they have mapped: what is counted in their resident memory."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, StopIteration), open(f"/proc/{pid}/status", "rb") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith(b"RssShmem")) * 1024
    return total


def wait_for_trackers(pids: Iterable[int]) -> list[int]:
    """Let processes of `multiprocessing` that remove shared memory end; return the other processes."""
    trackers: list[int] = []
    others: list[int] = []
    for pid in pids:
        try:
            is_tracker = b"multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        (trackers if is_tracker else others).append(pid)
    end = time.monotonic() + TRACKER_GRACE
    while trackers and time.monotonic() < end:
        for pid in list(trackers):
            with contextlib.suppress(OSError):
                os.waitpid(pid, os.WNOHANG)
            if not os.path.exists(f"/proc/{pid}"):
                trackers.remove(pid)
        time.sleep(0.002)
    return others


def _names() -> frozenset[str]:
    try:
        return frozenset(os.listdir(FOLDER))
    except OSError:
        return frozenset()


def _open_files(pid: int) -> list[tuple[str, os.stat_result]]:
    """The open files of a process that are shared memory: memfd, and files in /dev/shm."""
    files: list[tuple[str, os.stat_result]] = []
    try:
        handles = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return files
    for handle in handles:
        link = f"/proc/{pid}/fd/{handle}"
        with contextlib.suppress(OSError):
            path = os.readlink(link)
            if path.startswith((f"{FOLDER}/", "/memfd:")):
                files.append((path, os.stat(link)))
    return files


def _segments() -> list[tuple[int, int, int]]:
    """Identifier, creator and resident bytes of each System V segment."""
    segments = []
    with contextlib.suppress(OSError, ValueError, IndexError), open(_SEGMENTS, "rb") as file:
        head, *lines = file.read().splitlines()
        names = head.split()
        identifier, creator = names.index(b"shmid"), names.index(b"cpid")
        resident = names.index(b"rss") if b"rss" in names else names.index(b"size")
        for line in lines:
            fields = line.split()
            segments.append((int(fields[identifier]), int(fields[creator]), int(fields[resident])))
    return segments
