"""The request to compute a cell, as it is sent to another process, and the outcome that comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from relattr.harness.cell import Cell
from relattr.harness.limits import DEFAULT_TIME, Limits
from relattr.harness.plan import PlannedCell
from relattr.harness.provenance import Origin
from relattr.harness.result import Status
from relattr.identity import imported_modules, is_of_session, module_digests
from relattr.identity.code import summary_of
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
    return tuple(sorted(set().union(*(imported_modules(plugin) for plugin in plugins))))


SLOW_PACKAGES = frozenset({"torch", "torchvision", "timm", "sklearn", "skimage", "numba", "huggingface_hub"})
"""Packages that take long to import: cells whose method imports none of them need not wait for them."""


def preload_by_method(cells: Sequence[PlannedCell], registry: Registry) -> dict[str, tuple[str, ...]]:
    """The modules to preload for the cells of each method: one set for all that import `SLOW_PACKAGES`, one for others.

    The first is `modules_to_preload`. The second has of a dataset only the modules of its own package that do not
    import a slow package themselves.
    """
    modules = {name: imported_modules(registry.method(name).module) for name in {p.cell.method for p in cells}}
    slow_methods = {name for name, imported in modules.items() if imports_slowly(imported)}
    slow = modules_to_preload([p for p in cells if p.cell.method in slow_methods], registry) if slow_methods else ()
    fast_cells = [p for p in cells if p.cell.method not in slow_methods]
    fast = {name for p in fast_cells for name in modules[p.cell.method]}
    for plugin in {registry.dataset(p.cell.dataset).module for p in fast_cells}:
        if is_of_session(plugin):
            continue
        own = [name for name in module_digests(plugin) if name.startswith(plugin.rpartition(".")[0])]
        fast |= {name for name in own if (code := summary_of(name)) and not imports_slowly(b for b, _ in code.imports)}
    return {name: slow if name in slow_methods else tuple(sorted(fast)) for name in modules}


def imports_slowly(modules: Iterable[str]) -> bool:
    """Whether any of these modules is of `SLOW_PACKAGES`."""
    return not SLOW_PACKAGES.isdisjoint(name.partition(".")[0] for name in modules)
