"""Helpers for datasets that are read from released files: manifests, missing files, errors about them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from relattr.dataset import Dataset
from relattr.errors import BadInput, Blocked, UnknownName
from relattr.system import manifest
from relattr.system.reading import MAX_TEXT, read_text
from relattr.task import TaskName

from ._verification import join_first

CHECKSUMS = Path(__file__).with_name("checksums")
"""The folder of manifests."""
REPRODUCING_CODES = (
    "https://raw.githubusercontent.com/jellis505/reproducingcodes/07de6095470dfca62e4b6ce66575395801b34b65"
)
"""A public copy of OSR and of PubFig as Parikh and Grauman released it."""


@cache
def cached_manifest(path: Path) -> tuple[manifest.ManifestEntry, ...]:
    """Return the entries of a manifest; each manifest is read once per process."""
    return manifest.read_manifest(path)


def missing_files(root: Path, names: Iterable[str]) -> list[str]:
    """Return the files below ``root`` that do not exist; lists each folder once instead of testing each file."""
    contents: dict[str, set[str]] = {}
    missing = []
    for name in names:
        folder, _, base = name.rpartition("/")
        if folder not in contents:
            try:
                contents[folder] = set(os.listdir(root / folder))
            except OSError:
                contents[folder] = set()
        if base not in contents[folder]:
            missing.append(name)
    return missing


def missing_files_message(dataset: str, problem: str, root: Path, entries: Sequence[manifest.ManifestEntry]) -> str:
    """Format the message about missing files: the problem, the folder searched, and how to get the files."""
    size = sum(entry.size for entry in entries) / 1e6
    return (
        f"{dataset}: {problem}; looked in {root}. 'relattr data fetch {dataset}' downloads it "
        f"({len(entries):,} files, {size:.0f} MB), or set RELATTR_DATA to the folder that has {dataset}/ in it"
    )


def file_state(path: Path) -> tuple[int, int, int]:
    """Return size and times of change of a file, as a cache key. Raises `BadInput` if it cannot be read."""
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 text file. Raises `BadInput` if it cannot be read."""
    try:
        return read_text(path, MAX_TEXT).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def require_available(reason: str | None) -> None:
    """Raise `Blocked` with this reason, where there is one."""
    if reason:
        raise Blocked(reason)


def require_task(dataset: Dataset, name: TaskName) -> None:
    """Raise `UnknownName` unless the dataset has a task of this name."""
    if name not in dataset.tasks():
        raise UnknownName("task", str(name), map(str, dataset.tasks()))


def compare_with_manifest(root: Path, entries: Sequence[manifest.ManifestEntry]) -> tuple[bool, str]:
    """Check size and SHA-256 of files below ``root``: whether all are as listed, and a summary."""
    wrong = manifest.find_mismatches(root, entries)
    problems = join_first(f"{path} {problem}" for path, problem in wrong.items())
    return not wrong, problems or f"{len(entries):,} files as in the manifest"


def identical_files(entries: Iterable[manifest.ManifestEntry]) -> list[tuple[str, ...]]:
    """Return the groups of files with equal checksums; paths sorted."""
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.sha256].append(entry.path)
    return sorted(tuple(sorted(paths)) for paths in groups.values() if len(paths) > 1)
