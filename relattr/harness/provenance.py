"""Where a row comes from: code, command, versions, machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import msgspec

from relattr.harness.limits import machine_memory
from relattr.harness.result import Provenance
from relattr.system.atomic import write_bytes
from relattr.system.digests import digest_text
from relattr.system.paths import cache_dir


def provenance(device: str, threads: int, origin: Origin | None = None, gpu: str = "") -> Provenance:
    """The provenance of a row computed now, in this process, for the command that ``origin`` says."""
    origin = origin or here()
    return Provenance(
        commit=origin.commit,
        dirty=origin.dirty,
        command=origin.command,
        python=platform.python_version(),
        versions=versions(),
        system=platform.platform(),
        cpu=_cpu(),
        threads=threads,
        memory_bytes=_memory(),
        device=_device(device),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        gpu=gpu,
    )


def here() -> Origin:
    """The code and the command of this process."""
    commit, dirty = _revision()
    return Origin(commit, dirty, shlex.join(["relattr", *sys.argv[1:]]))


def warm_up() -> None:
    """Look up now whatever is the same for all the processes that will be forked from this one."""
    _cpu(), _memory(), platform.platform(), platform.node(), versions()


class Origin(msgspec.Struct, frozen=True):
    """What was asked, and of which code."""

    commit: str
    dirty: bool | None
    command: str


@cache
def _revision() -> tuple[str, bool | None]:
    """The commit relattr runs from and whether the tree differs from it; its version where it is not in git."""
    import relattr

    home = Path(relattr.__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(home), *arguments],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() == home:
            return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        pass
    return f"relattr {relattr.__version__}", None


@cache
def _owners() -> dict[str, list[str]]:
    """Which distributions a top-level module comes from; found once for as long as nothing is installed."""
    places = [f"{place} {os.stat(place).st_mtime_ns}" for place in sys.path if place and os.path.isdir(place)]
    known = cache_dir() / "distributions" / f"{digest_text(*places)[:32]}.json"
    try:
        return msgspec.json.decode(known.read_bytes(), type=dict[str, list[str]])
    except (OSError, msgspec.DecodeError):
        pass
    owners = {module: sorted(set(found)) for module, found in importlib.metadata.packages_distributions().items()}
    write_bytes(known, msgspec.json.encode(owners))
    return owners


_seen = 0
_found: dict[str, str] = {}


def versions() -> dict[str, str]:
    """The version of every distribution that is imported now.

    Only what was imported since the last call is looked at: in a forked process, touching the names of thousands of
    modules copies the memory they lie in.
    """
    global _seen
    owners = _owners()
    new = itertools.islice(reversed(sys.modules), max(0, len(sys.modules) - _seen))
    _seen = len(sys.modules)
    for top in {name.partition(".")[0] for name in list(new)}:
        for owner in owners.get(top, []):
            if owner not in _found and _version(owner):
                _found[owner] = _version(owner)
    return dict(sorted(_found.items()))


@cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # it was there when the owners were looked up
        return ""


@cache
def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} threads"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} threads"


@cache
def _memory() -> int:
    return machine_memory()


def _device(device: str) -> str:
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return device
