"""What travels to the process that computes a cell, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from relattr import sources
from relattr.harness.cell import Cell
from relattr.harness.limits import Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import Origin
from relattr.registry import Registry
from relattr.system import digests
from relattr.system.paths import cache_dir


class Job(msgspec.Struct, frozen=True):
    """One cell to compute, and the circumstances.

    ``threads`` 0, ``device`` auto, and ``limits`` without one on memory: where it runs decides.
    """

    cell: Cell
    fingerprints: dict[str, str]
    limits: Limits
    origin: Origin
    device: str = "auto"
    threads: int = 0
    gpu: str = ""
    """The one GPU it may see, as CUDA_VISIBLE_DEVICES names it; empty: all."""
    checkpoint: str = ""
    folders: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True):
    """A cell that came to something: the row as JSON, its arrays as ``.npz``, what it printed."""

    row: bytes
    arrays: bytes = b""
    log: str = ""


class Lost(msgspec.Struct, frozen=True):
    """A cell that came to nothing because a process or machine was lost, and how."""

    why: str
    attempts: int = 5
    """After how many such losses it is given up; fewer where the cell itself may be the cause."""


Outcome = Done | Lost


def make_job(
    planned: PlannedCell,
    origin: Origin,
    *,
    device: str = "auto",
    threads: int = 0,
    folders: Sequence[Path] = (),
    preload: Sequence[str] = (),
) -> Job:
    """The job of a planned cell."""
    prints = dict(planned.fingerprints)
    name = f"{planned.cell.key}-{digests.digest_text(*(part for pair in sorted(prints.items()) for part in pair))[:16]}"
    return Job(
        cell=planned.cell,
        fingerprints=prints,
        limits=planned.limits,
        origin=origin,
        device=device,
        threads=threads,
        checkpoint=str(cache_dir() / "checkpoints" / name),
        folders=tuple(str(folder.absolute()) for folder in folders),
        preload=tuple(preload),
    )


def to_preload(cells: Sequence[PlannedCell], registry: Registry) -> tuple[str, ...]:
    """The modules that the methods and datasets of these cells import, directly or not, inside functions too."""
    found: set[str] = set()
    owners = {registry.method(p.cell.method).module for p in cells}
    owners |= {registry.dataset(p.cell.dataset).module for p in cells}
    for module in owners:
        found |= sources.imports_of(module)
    return tuple(sorted(found))
