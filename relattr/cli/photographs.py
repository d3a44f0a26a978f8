"""The photographs that a user names, and the files beside them that are in other formats."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from relattr.cli.wording import counted
from relattr.errors import BadInput

MAX_NAMED = 8
"""Other formats that a message names at most."""


def find_photographs(given: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files, and the image files in the folders, each once; and the other files in the folders.

    Raises `BadInput` for a path that does not exist and for a folder without images.
    """
    from relattr.images.loading import SUFFIXES, list_image_files

    paths: dict[Path, None] = {}
    others: dict[Path, None] = {}
    for path in given:
        if not path.exists():
            raise BadInput(f"{path} does not exist; expected a photograph, or a folder of photographs")
        if not path.is_dir():
            paths[path] = None
            continue
        names = list_image_files(path)
        of_folder = _files_except(path, names)
        if not names:
            other = f"; {describe_others(of_folder)}" if of_folder else ""
            raise BadInput(f"{path} has no photograph: no file in it ends in {', '.join(sorted(SUFFIXES))}{other}")
        paths.update(dict.fromkeys(path / name for name in names))
        others.update(dict.fromkeys(of_folder))
    return list(paths), [path for path in others if path not in paths]


def describe_others(files: Sequence[Path]) -> str:
    """How many files have other formats than those of photographs, and which: the most frequent suffixes first."""
    counts = Counter(path.suffix or "no suffix" for path in files)
    suffixes = sorted(counts, key=lambda suffix: (-counts[suffix], suffix))
    more = [f"{len(suffixes) - MAX_NAMED} more"] if len(suffixes) > MAX_NAMED else []
    verb = "has another format" if len(files) == 1 else "have other formats"
    return f"{counted(len(files), 'file')} {verb} ({', '.join([*suffixes[:MAX_NAMED], *more])})"


def _files_except(folder: Path, names: Iterable[str]) -> list[Path]:
    """The files below a folder that do not have these names; hidden files and folders are left out."""
    excluded = {folder / name for name in names}
    files = []
    for parent, folders, found in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in found if not name.startswith(".")]
    return sorted(path for path in files if path not in excluded)
