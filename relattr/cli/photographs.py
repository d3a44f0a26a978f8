"""The photographs that a user names, and what beside them is not considered."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from relattr.cli.wording import counted
from relattr.errors import BadInput

MAX_NAMED = 8
"""Other formats, or folders of one kind, that a message names at most."""


@dataclass(frozen=True)
class NotConsidered:
    """What lies in the given folders beside the photographs."""

    files: Sequence[Path] = ()
    """Files in other formats."""
    links: Sequence[Path] = ()
    """Links to folders, which are not followed: they may lead in a circle."""
    unreadable: Sequence[Path] = ()
    """Folders whose content cannot be listed."""

    def __str__(self) -> str:
        parts = [describe_others(self.files)] if self.files else []
        if self.links:
            advice = "name it to rank what is in it" if len(self.links) == 1 else "name them to rank what is in them"
            parts.append(f"{counted(len(self.links), 'linked folder')} ({_named(self.links)}; {advice})")
        if self.unreadable:
            parts.append(f"{counted(len(self.unreadable), 'folder')} that cannot be read ({_named(self.unreadable)})")
        return "; ".join(parts)


def find_photographs(given: Sequence[Path]) -> tuple[list[Path], NotConsidered]:
    """The files, and the image files in the folders, each once; and what else is in the folders.

    Raises `BadInput` for a path that does not exist and for a folder without images.
    """
    from relattr.images.loading import SUFFIXES, list_image_files

    paths: dict[Path, None] = {}
    found: list[NotConsidered] = []
    for path in given:
        if not path.exists():
            raise BadInput(f"{path} does not exist; expected a photograph, or a folder of photographs")
        if not path.is_dir():
            paths[path] = None
            continue
        names = list_image_files(path)
        found.append(_others(path, names))
        if not names:
            suffixes = ", ".join(sorted(SUFFIXES))
            reason = f"no file in it ends in {suffixes}"
            raise BadInput(f"{path} has no photograph: {'; '.join(filter(None, [reason, str(found[-1])]))}")
        paths.update(dict.fromkeys(path / name for name in names))
    listed = {*given, *(folder for path in paths for folder in path.parents)}
    return list(paths), NotConsidered(
        _distinct((file for part in found for file in part.files), paths),
        _distinct((link for part in found for link in part.links), listed),
        _distinct((folder for part in found for folder in part.unreadable), ()),
    )


def describe_others(files: Sequence[Path]) -> str:
    """How many files have other formats than those of photographs, and which: the most frequent suffixes first."""
    counts = Counter(path.suffix or "no suffix" for path in files)
    suffixes = sorted(counts, key=lambda suffix: (-counts[suffix], suffix))
    more = [f"{len(suffixes) - MAX_NAMED} more"] if len(suffixes) > MAX_NAMED else []
    verb = "has another format" if len(files) == 1 else "have other formats"
    return f"{counted(len(files), 'file')} {verb} ({', '.join([*suffixes[:MAX_NAMED], *more])})"


def _others(folder: Path, names: Iterable[str]) -> NotConsidered:
    """What is below a folder except files of these names; hidden files and folders are left out."""
    images = {folder / name for name in names}
    files: list[Path] = []
    links: list[Path] = []
    unreadable: list[Path] = []

    def note(error: OSError) -> None:
        unreadable.append(Path(error.filename))

    for parent, folders, found in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links += [path for path in (Path(parent, name) for name in folders) if path.is_symlink()]
        visible = (Path(parent, name) for name in found if not name.startswith("."))
        files += [path for path in visible if path not in images]
    return NotConsidered(sorted(files), sorted(links), sorted(unreadable))


def _distinct(paths: Iterable[Path], excluded: Iterable[Path]) -> list[Path]:
    without = {*excluded}
    return [path for path in dict.fromkeys(paths) if path not in without]


def _named(paths: Sequence[Path]) -> str:
    more = [f"{len(paths) - MAX_NAMED} more"] if len(paths) > MAX_NAMED else []
    return ", ".join([*map(str, paths[:MAX_NAMED]), *more])
