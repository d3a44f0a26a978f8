"""Manifests: lists of files with checksums, one line ``sha256 size path`` per file, sorted by path.

The manifest of a dataset lists its files. Create one with `write_manifest`, or from a shell:
``python -m relattr.system.manifest FOLDER MANIFEST FILE...`` (names of files or folders below FOLDER).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from relattr.errors import BadInput
from relattr.system.atomic import write_text
from relattr.system.digests import digest_file
from relattr.system.numbers import is_digits
from relattr.system.reading import MAX_TEXT, read_text

_SAFE_PATH = re.compile(r"[\w-][\w. -]*(?:/[\w-][\w. -]*)*", re.ASCII)
"""Matches most valid paths; the full check takes twenty times as long."""


def check_path(path: str) -> None:
    """Raise `BadInput` unless ``path`` is a relative path that stays below its folder on both POSIX and Windows.

    Only forward slashes are allowed.
    """
    if _SAFE_PATH.fullmatch(path):
        return
    parts = path.split("/")
    windows = PureWindowsPath(path)
    if (
        not path
        or "\\" in path
        or "\0" in path
        or any(part in ("", ".", "..") for part in parts)
        or PurePosixPath(path).is_absolute()
        or windows.drive
        or windows.root
    ):
        raise BadInput(f"path {path!r} is not a plain relative path below the dataset's folder")


@dataclass(frozen=True)
class ManifestEntry:
    """One file: ``path`` relative to the folder, with forward slashes; its SHA-256 in hex; its ``size`` in bytes."""

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        check_path(self.path)
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise BadInput(f"the SHA-256 of {self.path} is {self.sha256!r}; expected 64 hexadecimal digits")
        if self.size < 0:
            raise BadInput(f"the size of {self.path} is {self.size}; expected at least 0 bytes")


def describe_mismatch(path: Path, sha256: str, size: int) -> str | None:
    """How a file differs from the expected one; None if it is the same. The file is read only if its size is equal."""
    try:
        actual_size = path.stat().st_size
        if not path.is_file():
            return "is not a file"
        if actual_size != size:
            return f"has {actual_size:,} bytes, expected {size:,}"
        actual_sha256 = digest_file(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except BadInput as error:
        return str(error)
    return None if actual_sha256 == sha256 else f"has SHA-256 {actual_sha256}, expected {sha256}"


def find_mismatches(root: Path, entries: Sequence[ManifestEntry]) -> dict[str, str]:
    """The files below ``root`` that differ from the manifest, with a description of the mismatch."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # hashing releases the GIL
        mismatches = pool.map(lambda entry: describe_mismatch(root / entry.path, entry.sha256, entry.size), entries)
        return {entry.path: text for entry, text in zip(entries, mismatches, strict=True) if text is not None}


def read_manifest(path: Path) -> tuple[ManifestEntry, ...]:
    """Read the entries of a manifest. Raises `BadInput` with the line number if it is invalid."""
    entries = []
    try:
        lines = read_text(path, MAX_TEXT).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the manifest {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        words = line.split(" ", 2)
        if len(words) != 3 or not is_digits(words[1]):
            raise BadInput(f"{path}, line {number}: expected 'sha256 size path', got {line[:120]!r}")
        entries.append(ManifestEntry(words[2], words[0], int(words[1])))
    paths = [entry.path for entry in entries]
    if paths != sorted(set(paths)):
        raise BadInput(f"{path}: paths must be sorted, each listed once")
    return tuple(entries)


def write_manifest(path: Path, root: Path, names: Iterable[str]) -> None:
    """Write the manifest of these files (or of all files in these folders) below ``root``."""
    files: set[str] = set()
    for name in names:
        item = root / name
        paths = [p for p in item.rglob("*") if p.is_file()] if item.is_dir() else [item]
        files.update(p.relative_to(root).as_posix() for p in paths)
    entries = [ManifestEntry(name, digest_file(root / name), (root / name).stat().st_size) for name in sorted(files)]
    write_text(path, "".join(f"{entry.sha256} {entry.size} {entry.path}\n" for entry in entries))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: python -m relattr.system.manifest FOLDER MANIFEST FILE...")
    write_manifest(Path(sys.argv[2]), Path(sys.argv[1]), sys.argv[3:])
