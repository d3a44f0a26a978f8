"""The request to compute a cell, as it is sent to another process, and the outcome that comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from relattr.harness.cell import Cell
from relattr.harness.limits import Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import Origin
from relattr.identity import imported_modules
from relattr.registry import Registry
from relattr.system import digests
from relattr.system.paths import cache_dir


class Job(msgspec.Struct, frozen=True):
    """One cell to compute, with its resources and limits.

    The machine that runs it decides where ``threads`` is 0, ``device`` is "auto", or ``limits`` has none on memory.
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


class CompletedCell(msgspec.Struct, frozen=True):
    """The outcome of a cell that has a row, whatever its status."""

    row: bytes
    """The `Result` as JSON."""
    arrays: bytes = b""
    """The contents of its ``.npz`` file."""
    log: str = ""
    """What it printed."""


class LostCell(msgspec.Struct, frozen=True):
    """The outcome of a cell without a row, because a process or a machine was lost."""

    reason: str
    max_attempts: int = 5
    """Number of such losses after which the cell counts as crashed; smaller where the cell may be the cause."""


Outcome = CompletedCell | LostCell


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
        limits=planned.limits,
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
    return tuple(sorted(set().union(*(imported_modules(plugin) for plugin in plugins))))
