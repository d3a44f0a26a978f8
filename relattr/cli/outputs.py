"""The files that a command writes: of the kind that it writes, and never in place of one that it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from relattr.errors import BadInput, shortened
from relattr.system.text import one_line

DECIDES_RESULTS = False
HEADER_LIMIT = 10_000
"""Bytes of the first line of a CSV file that are read."""
COMPARED_COLUMNS = 3
"""Columns by which a CSV file is recognised: later ones differ between versions of relattr."""


def require_suffix(option: str, out: Path, *suffixes: str) -> None:
    """Raise `BadInput` unless the file to write has one of these suffixes; ``option`` is what the user gave it with."""
    if out.suffix not in suffixes:
        expected = " or ".join(suffixes)
        raise BadInput(f"{option} {out} should end in {expected}, such as {out.with_suffix(suffixes[0])}")


def require_apart(option: str, outputs: Iterable[Path], inputs: Mapping[str, Iterable[Path]]) -> None:
    """Raise `BadInput` if a file to write is one that the command reads, under this or another name.

    ``inputs`` has the files by what they are in the message, such as ``the file of --model``.
    """
    written = {identity: out for out in outputs if (identity := _identity(out)) is not None}
    for what, paths in inputs.items() if written else ():
        for path in paths:
            out = written.get(_identity(path) or (-1, -1))
            if out is not None:
                raise BadInput(f"{out} is {what} and would be overwritten; choose another file for {option}")


def require_outside_data(option: str, out: Path, data: Iterable[Path], where: str = "--data") -> None:
    """Raise `BadInput` if a file to write is one with labels, or a CSV file beside it in its folder.

    ``data`` are folders of labelled photographs, or the CSV files in them. Such a folder has one CSV file: with
    another one in it, the next command would not know which of them has the labels.
    """
    for path in data:
        require_apart(option, [out], {f"the file of {where}, with your labels,": [path]})
        if out.suffix.lower() == ".csv" and path.is_dir() and _identity(out.parent) == _identity(path):
            raise BadInput(
                f"{option} {out} would be in the folder of {where}, {path}, where only the file with your labels may "
                f"be a CSV file; choose a file elsewhere for it"
            )


def require_replaceable(option: str, out: Path, columns: Sequence[str]) -> None:
    """Raise `BadInput` if there is a CSV file already that has not been written by this command.

    It may be a file of labels. One written by the command begins with the same ``columns``; empty files are replaced.
    """
    if out.suffix != ".csv" or not out.is_file():
        return
    try:
        with out.open("rb") as file:
            header = file.readline(HEADER_LIMIT).decode("utf-8", "replace").strip()
    except OSError:  # it is replaced without being read
        return
    if header and header.split(",")[:COMPARED_COLUMNS] != [*columns][:COMPARED_COLUMNS]:
        raise BadInput(
            f"{option} {out} exists, and this command did not write it: its first line is "
            f"{shortened(one_line(header))!r}; choose another file for it"
        )


def files_of_settings(settings: Iterable[str]) -> dict[str, list[Path]]:
    """The values of ``--set KEY=VALUE`` as the inputs of `require_apart`: some are files."""
    given = (setting.partition("=") for setting in settings)
    return {f"the file of --set {key}": [Path(value)] for key, _, value in given if value}


def _identity(path: Path) -> tuple[int, int] | None:
    """What all names of one file have in common, links too; None if there is no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
