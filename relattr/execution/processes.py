"""Processes of this machine, as Linux shows them: trees, memory, orphans. No library starts threads for it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def supported() -> bool:
    """Whether cells can have processes of their own here: Linux, with /proc."""
    return sys.platform == "linux" and os.path.isdir("/proc/self/task") and hasattr(os, "pidfd_open")


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def adopt_orphans(yes: bool = True) -> None:
    """Make every process below this one whose parent dies a child of this one, instead of init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, int(yes))


def die_with_parent(parent: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends, however that ends."""
    _prctl(_PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:  # it was gone before the line above
        os._exit(1)


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``, zombies included."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(child) for child in file.read().split()]
        except FileNotFoundError:
            if os.path.exists(f"/proc/{pid}/task/{task}"):  # a kernel without these files
                return [int(p) for p in os.listdir("/proc") if p.isdigit() and parent(int(p)) == pid]
        except OSError:
            continue
    return found


def parent(pid: int) -> int:
    """The parent of a process; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def descendants(pid: int) -> list[int]:
    """All processes below ``pid``, nearest first."""
    found: list[int] = []
    queue = [pid]
    while queue:
        for child in children(queue.pop()):
            found.append(child)
            queue.append(child)
    return found


def resident(pids: Iterable[int]) -> int:
    """Bytes of memory these processes have, what they share counted in each of them."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                total += int(file.read().split()[1]) * _PAGE
        except (OSError, ValueError, IndexError):
            continue
    return total


def proportional(pids: Iterable[int]) -> int:
    """Bytes of memory these processes have, each shared page divided among those that share it."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith(b"Pss:")) * 1024
        except (OSError, ValueError, IndexError, StopIteration):
            total += resident([pid])
    return total


def kill_below(pid: int, *, spare: Iterable[int] = (), patience: float = 5.0) -> int:
    """Kill everything below ``pid`` (this process, which adopts orphans) but ``spare`` and what is below it.

    Reaps what it kills. Returns how many there were. Processes that fork faster than one can kill them are
    stopped first; what the kernel does not let go within ``patience`` seconds is left to it.
    """
    spared = set(spare)
    killed: set[int] = set()
    end = time.monotonic() + patience
    while found := _below(pid, spared):
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for each in found:
                with contextlib.suppress(OSError):
                    os.kill(each, signum)
            found = _below(pid, spared)
        killed.update(found)
        for each in found:
            with contextlib.suppress(OSError):  # only children can be reaped; the others become children
                os.waitpid(each, os.WNOHANG)
        if time.monotonic() > end:
            break
        time.sleep(0.001)
    return len(killed)


def _below(pid: int, spared: set[int]) -> list[int]:
    found: list[int] = []
    queue = [pid]
    while queue:
        for child in children(queue.pop()):
            if child not in spared:
                found.append(child)
                queue.append(child)
    return found


def marked(marker: str) -> list[int]:
    """The processes below this one that inherited ``marker`` (``NAME=value``) in their environment."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if marker.encode() in file.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            continue
    return found


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed here for want of memory, since it started."""
    for place in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        try:
            with open(place) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except (OSError, ValueError):
            continue
    return 0


def thread_names(pid: int | None = None) -> list[str]:
    """The name of each thread of a process (of this one by default)."""
    names = []
    place = f"/proc/{pid or os.getpid()}/task"
    for task in os.listdir(place):
        with contextlib.suppress(OSError), open(f"{place}/{task}/comm") as file:
            names.append(file.read().strip())
    return names
