"""The request to compute a cell, as it is sent to another process, and the outcome that comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from relattr.errors import BadInput
from relattr.harness.cell import Cell
from relattr.harness.limits import DEFAULT_TIME, Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import Origin
from relattr.harness.result import Status
from relattr.identity import imported_modules
from relattr.registry import Registry
from relattr.system import digests
from relattr.system.paths import cache_dir


class Job(msgspec.Struct, frozen=True):
    """One cell to compute, with its resources and limits.

    Defaults (``threads`` 0, ``device`` "auto", no memory limit) are filled in by the executing machine.
    """

    cell: Cell
    fingerprints: dict[str, str]
    limits: Limits
    origin: Origin
    device: str = "auto"
    threads: int = 0
    gpu: str = ""
    """The only GPU that it may use, as CUDA_VISIBLE_DEVICES names it; empty: all."""
    checkpoint: str = ""
    folders: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()


class CellProgress(msgspec.Struct, frozen=True, array_like=True, tag="progress"):
    """A message about a running cell: its current step, the number of steps done, and their total number."""

    description: str
    done: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
    total: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class CellResult(msgspec.Struct, frozen=True, array_like=True, tag="result"):
    """The last message of a cell's process."""

    row: bytes
    """The `Result` as JSON."""
    arrays: bytes
    """The contents of its ``.npz`` file."""


class CompletedCell(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """The outcome of a cell that has a result, with any status."""

    row: bytes
    """The `Result` as JSON."""
    arrays: bytes = b""
    """The contents of its ``.npz`` file."""
    log: str = ""
    """What it printed."""


class LostCell(msgspec.Struct, frozen=True, array_like=True, tag="lost"):
    """The outcome of a cell without a result, because a process or a machine was lost."""

    reason: str
    max_attempts: int = 5
    """Number of such losses after which the cell counts as failed; smaller where the cell may be the cause."""
    status: Status = "crashed"
    """Its status then."""
    traceback: str = ""
    """The last words of the process that was lost."""


class RefusedCell(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """The outcome of a cell that was not started, because the system refused another process."""

    reason: str


Outcome = CompletedCell | LostCell | RefusedCell


def make_job(
    planned: PlannedCell,
    origin: Origin,
    *,
    device: str = "auto",
    threads: int = 0,
    folders: Sequence[Path] = (),
    preload: Sequence[str] = (),
) -> Job:
    """Create the job of a planned cell."""
    fingerprints = dict(planned.fingerprints)
    digest = digests.digest_text(*(part for pair in sorted(fingerprints.items()) for part in pair))
    return Job(
        cell=planned.cell,
        fingerprints=fingerprints,
        limits=planned.limits.with_defaults(Limits(time=DEFAULT_TIME)),
        origin=origin,
        device=device,
        threads=threads,
        checkpoint=str(cache_dir() / "checkpoints" / f"{planned.cell.key}-{digest[:16]}"),
        folders=tuple(str(folder.absolute()) for folder in folders),
        preload=tuple(preload),
    )


def modules_to_preload(cells: Sequence[PlannedCell], registry: Registry) -> tuple[str, ...]:
    """The modules that the methods and datasets of these cells import, directly or not, also inside functions."""
    plugins = {registry.method(p.cell.method).module for p in cells}
    plugins |= {registry.dataset(p.cell.dataset).module for p in cells}
    modules: set[str] = set()
    for plugin in plugins:
        with contextlib.suppress(BadInput):  # it has no file: it is defined in a notebook
            modules |= imported_modules(plugin)
    return tuple(sorted(modules))
