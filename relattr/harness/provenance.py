"""The provenance of a result: code, command, versions, machine, time."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from collections.abc import Iterable
from functools import cache

import msgspec

from relattr.harness.machine import device_name, machine_memory, processor_name
from relattr.harness.result import Provenance, Result
from relattr.harness.versions import imported_versions, relattr_revision


class Origin(msgspec.Struct, frozen=True):
    """The command that a result was computed for, and the version of the code."""

    commit: str
    dirty: bool | None
    """Whether the working tree differs from the commit; None where relattr does not run from a git repository."""
    command: str


def current_origin() -> Origin:
    """Return the command and the code version of this process."""
    commit, dirty = relattr_revision()
    command = shlex.join(["relattr", *sys.argv[1:]])
    command = command.encode(errors="backslashreplace").decode()  # an argument may be a file name that is not UTF-8
    return Origin(commit, dirty, command)


def record_provenance(device: str, threads: int, origin: Origin | None = None, gpu: str = "") -> Provenance:
    """Return the provenance of a result that is computed in this process now.

    ``origin`` is the command that it is computed for, by default that of this process; ``gpu`` is the GPU that the
    cell may use, as CUDA_VISIBLE_DEVICES names it, empty for all.
    """
    origin = origin or current_origin()
    return Provenance(
        commit=origin.commit,
        dirty=origin.dirty,
        command=origin.command,
        python=platform.python_version(),
        versions=imported_versions(),
        system=platform.platform(),
        cpu=processor_name(),
        threads=threads,
        memory_bytes=_memory(),
        device=device_name(device),
        started=_now(),
        host=platform.node(),
        gpu=gpu,
    )


def most_recent(results: Iterable[Result]) -> Result | None:
    """Return the first of the results that started last; None if there are none.

    One that is dated in the future, by a machine whose clock is wrong, counts as older than all others: results that
    are computed now must follow it.
    """
    now = _now()
    return max(results, key=lambda r: (r.provenance.started <= now, r.provenance.started), default=None)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def preload_provenance() -> None:
    """Compute and cache what is the same for all processes that are forked from this one."""
    processor_name(), _memory(), platform.platform(), platform.node(), imported_versions()


@cache
def _memory() -> int:
    return machine_memory()
