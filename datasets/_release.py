"""What datasets that are read from released files share: what is there, what is missing, what to say."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from relattr.dataset import Finding
from relattr.errors import BadInput
from relattr.system import manifest

CHECKSUMS = Path(__file__).with_name("checksums")


@cache
def listed(path: Path) -> tuple[manifest.ManifestEntry, ...]:
    """The entries of a manifest, read once."""
    return manifest.read(path)


def not_there(root: Path, names: Iterable[str]) -> list[str]:
    """Those of these files below ``root`` that do not exist; one look at each folder, not at each file."""
    inside: dict[str, set[str]] = {}
    gone = []
    for name in names:
        folder, _, base = name.rpartition("/")
        if folder not in inside:
            try:
                inside[folder] = set(os.listdir(root / folder))
            except OSError:
                inside[folder] = set()
        if base not in inside[folder]:
            gone.append(name)
    return gone


def say_missing(dataset: str, what: str, root: Path, entries: Sequence[manifest.ManifestEntry]) -> str:
    """The message for files that are not there: what, where it was looked for, and what to do."""
    size = sum(entry.size for entry in entries) / 1e6
    return (
        f"{dataset}: {what}; looked in {root}. 'relattr data fetch {dataset}' downloads it "
        f"({len(entries):,} files, {size:.0f} MB), or set RELATTR_DATA to the folder that has {dataset}/ in it"
    )


def look(what: str, check: Callable[[], tuple[bool, str]]) -> Finding:
    """One finding of ``check``; where it cannot read what it needs, that is the finding."""
    try:
        ok, detail = check()
    except BadInput as error:
        ok, detail = False, str(error)
    return Finding(what, ok, detail)


def some(problems: Iterable[Any], shown: int = 5) -> str:
    """The first few of these and how many more there are, in one line."""
    problems = [str(problem) for problem in problems]
    more = f"; and {len(problems) - shown:,} more" if len(problems) > shown else ""
    return "; ".join(problems[:shown]) + more


def same_bytes(entries: Iterable[manifest.ManifestEntry]) -> list[tuple[str, ...]]:
    """The groups of files with the same content, by their checksums; paths sorted."""
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.sha256].append(entry.path)
    return sorted(tuple(sorted(paths)) for paths in groups.values() if len(paths) > 1)
