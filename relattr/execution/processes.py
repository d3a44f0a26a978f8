"""Process trees, memory and orphans on Linux, read from /proc without a library that starts threads."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable
from functools import cache

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def is_supported() -> bool:
    """Whether cells can run in separate processes on this system: Linux with /proc and pidfd."""
    return sys.platform == "linux" and os.path.isdir("/proc/self/task") and hasattr(os, "pidfd_open")


@cache
def _libc() -> ctypes.CDLL:
    """The C library. The server opens it before it forks."""
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def set_child_subreaper(enabled: bool = True) -> None:
    """Make this process, instead of init, the new parent of all its orphaned descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, int(enabled))


def set_parent_death_signal(parent: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends, for whatever reason.

    Ends this process if ``parent`` is not its parent any more.
    """
    _prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:  # the parent ended before the call above
        os._exit(1)


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``, zombies included."""
    pids: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return pids
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                pids += [int(child) for child in file.read().split()]
        except FileNotFoundError:
            if os.path.exists(f"/proc/{pid}/task/{task}"):  # the kernel was built without these files
                return [int(p) for p in os.listdir("/proc") if p.isdigit() and parent_of(int(p)) == pid]
        except OSError:
            continue
    return pids


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if the process does not exist."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def descendants(pid: int, *, spare: Collection[int] = ()) -> list[int]:
    """All processes below ``pid``, parents before their children; without those in ``spare`` and below them."""
    pids: list[int] = []
    queue = [pid]
    while queue:
        for child in children(queue.pop()):
            if child not in spare:
                pids.append(child)
                queue.append(child)
    return pids


def session_of(pid: int) -> int:
    """The session of a process; 0 if the process does not exist."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def signal_name(number: int) -> str:
    """The name of a signal, such as ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def resume_if_stopped(pid: int) -> None:
    """Send SIGCONT to a process that SIGSTOP or a similar signal has stopped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stopped = file.read().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return
    if stopped:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)


class ProcessRefused(Exception):
    """The system refuses another process: a limit on processes or memory is reached, perhaps for a short time."""


REFUSALS = (errno.EAGAIN, errno.ENOMEM)
"""Error numbers of `os.fork` that say nothing about the program that calls it."""


def fork_patiently(patience: float = 2.0) -> int:
    """`os.fork`, repeated for ``patience`` seconds while the system refuses it. Raises `ProcessRefused` after that."""
    end = time.monotonic() + patience
    pause = 0.01
    while True:
        try:
            return os.fork()
        except OSError as error:
            if error.errno not in REFUSALS:
                raise
            if time.monotonic() + pause > end:
                raise ProcessRefused(f"the system refuses another process: {error.strerror}") from None
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def restore_defaults() -> None:
    """Undo what imported code may have done to this process: signal handlers, blocked signals, timers."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        if number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python sets them when it starts
            default = signal.SIG_IGN
        with contextlib.suppress(OSError, ValueError):  # some are reserved by the C library
            signal.signal(number, default)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    faulthandler.cancel_dump_traceback_later()


def resident_memory(pids: Iterable[int]) -> int:
    """Sum of the resident set sizes of these processes in bytes; shared pages count once for each process."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                total += int(file.read().split()[1]) * _PAGE
        except (OSError, ValueError, IndexError):
            continue
    return total


def proportional_memory(pids: Iterable[int]) -> int:
    """Sum of the proportional set sizes (PSS) of these processes in bytes.

    Each shared page is divided among the processes that share it. Where PSS cannot be read, the resident set size.
    """
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith(b"Pss:")) * 1024
        except (OSError, ValueError, IndexError, StopIteration):
            total += resident_memory([pid])
    return total


def kill_descendants(pid: int, *, spare: Collection[int] = (), timeout: float = 5.0) -> int:
    """Kill and reap all processes below ``pid``, except those in ``spare`` and below them.

    ``pid`` is this process, which must be a child subreaper. All are stopped before they are killed, so that none can
    fork faster than it is killed. Returns the number of processes killed. Processes that the kernel has not ended
    after ``timeout`` seconds are not waited for.
    """
    killed: set[int] = set()
    end = time.monotonic() + timeout
    while pids := descendants(pid, spare=spare):
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for victim in pids:
                with contextlib.suppress(OSError):
                    os.kill(victim, signum)
            pids = descendants(pid, spare=spare)
        killed.update(pids)
        for victim in pids:
            with contextlib.suppress(OSError):  # only children can be reaped; the others become children
                os.waitpid(victim, os.WNOHANG)
        if time.monotonic() > end:
            break
        time.sleep(0.001)
    return len(killed)


def adopted(*, spare: Collection[int] = ()) -> list[int]:
    """The processes that this child subreaper has adopted, and all below them; without those in ``spare``.

    A process whose parents have ended is a child of this one now. It is told from the children that this process
    started itself by its session: a cell begins a new one, and nothing below it can return to the session of this
    process. Children that this process started in sessions of their own must be in ``spare``.
    """
    own = session_of(os.getpid())
    orphans = [pid for pid in children(os.getpid()) if pid not in spare and session_of(pid) != own]
    return [*orphans, *(pid for orphan in orphans for pid in descendants(orphan))]


def oom_kill_count() -> int:
    """The number of processes that the kernel's out-of-memory killer has ended in this container, or since boot."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        try:
            with open(path, "rb", buffering=0) as file:
                _, found, rest = (b"\n" + file.readall()).partition(b"\noom_kill ")
            if found:
                return int(rest.split(maxsplit=1)[0])
        except (OSError, ValueError):
            continue
    return 0


def thread_names(pid: int | None = None) -> list[str]:
    """The name of each thread of a process (default: this one), the main thread first."""
    names = []
    folder = f"/proc/{pid or os.getpid()}/task"
    for task in os.listdir(folder):
        with contextlib.suppress(OSError), open(f"{folder}/{task}/comm") as file:
            names.append(file.read().strip())
    return names
