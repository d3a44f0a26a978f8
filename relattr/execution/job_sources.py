"""The source files of a job: whether they are those the plan was made with, and whether they change while it runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from relattr.execution.job import Job
from relattr.identity import module_digests, source_files
from relattr.identity.imports import summarise_source
from relattr.registry import Registry


def _fingerprinted_modules(job: Job) -> list[str]:
    return [name.removeprefix("code ") for name in job.fingerprints if name.startswith("code ")]


def mismatched_modules(job: Job, registry: Registry) -> str:
    """The modules whose code on this machine is not the code that the plan was made with, separated by commas."""
    digests: dict[str, str] = {}
    for entry in (registry.methods.get(job.cell.method), registry.datasets.get(job.cell.dataset)):
        if entry is not None:  # the cell itself reports a missing plugin
            digests.update(module_digests(entry.module))
    return ", ".join(
        sorted(
            name
            for name in _fingerprinted_modules(job)
            if name in digests and digests[name] != job.fingerprints[f"code {name}"]
        )
    )


def source_stats(job: Job) -> dict[str, tuple[str, int, int]]:
    """Path, size and modification time of each source file of the cell, by the name of its fingerprint."""
    stats: dict[str, tuple[str, int, int]] = {}
    for name in _fingerprinted_modules(job):
        path = _source_path(name)
        if path is not None:
            with contextlib.suppress(OSError):
                stat = os.stat(path)
                stats[f"code {name}"] = path, stat.st_size, stat.st_mtime_ns
    return stats


@cache
def _source_path(module: str) -> str | None:
    """The source file of a module; None if it has none."""
    return next((str(path) for path in source_files([module])), None)


def modified_sources(stats: dict[str, tuple[str, int, int]], fingerprints: Mapping[str, str]) -> set[str]:
    """The names of the source files that were removed, or no longer have the digest in ``fingerprints``.

    Files of the same size and modification time as in ``stats`` are not read.
    """
    names = set()
    for name, (path, length, mtime) in stats.items():
        try:
            stat = os.stat(path)
            if (stat.st_size, stat.st_mtime_ns) == (length, mtime):
                continue
            digest = summarise_source(Path(path), name.removeprefix("code ")).digest
        except OSError:
            names.add(name)
            continue
        if digest != fingerprints[name]:
            names.add(name)
    return names
