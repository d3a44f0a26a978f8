"""Find a user's images on disk by the names in the CSV file, also where the spelling differs in Unicode form."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path


class ImageFiles:
    """The files below a folder; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: dict[str, str] = {}
        """Folders that exist and cannot be listed, and why."""
        self._contents: dict[str, set[str]] = {}

    def find(self, name: str) -> str | None:
        """The path of an image below the root; None if there is none.

        macOS stores names in decomposed Unicode (NFD), most other programs in composed (NFC): a file is also found
        by the other form of its name, if the name itself does not exist.
        """
        folder, _, base = name.rpartition("/")
        if base in self._names(folder):
            return name
        return self._find_similar(name, lambda text: unicodedata.normalize("NFC", text))

    def suggest(self, name: str) -> str | None:
        """The path of a file that differs from a name only in upper and lower case, or in its suffix; None if none."""
        return self._find_similar(name, str.casefold) or self._find_similar(
            name, lambda text: text.casefold().rpartition(".")[0] or text.casefold()
        )

    def _names(self, folder: str) -> set[str]:
        """The names in a folder; empty for a folder that cannot be read."""
        if folder not in self._contents:
            try:
                self._contents[folder] = set(os.listdir(self.root / folder))
            except OSError as error:
                self._contents[folder] = set()
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    self.unreadable[folder] = error.strerror or str(error)
        return self._contents[folder]

    def _find_similar(self, name: str, form: Callable[[str], str]) -> str | None:
        """The only path whose parts are equal to those of a name in this form."""
        path = ""
        for part in name.split("/"):
            names = self._names(path)
            matches = [part] if part in names else [other for other in names if form(other) == form(part)]
            if len(matches) != 1:
                return None
            path = f"{path}/{matches[0]}" if path else matches[0]
        return path


def find_images(root: Path, names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The path of each image below ``root`` by its name, and the names that have no file, with a suggestion."""
    files = ImageFiles(root)
    paths: dict[str, str] = {}
    missing: list[str] = []
    for name in names:
        path = files.find(name)
        if path is not None:
            paths[name] = path
        else:
            suggestion = files.suggest(name) if len(missing) < 3 else None
            problem = files.unreadable.get(name.rpartition("/")[0])
            hint = f"is it {suggestion}?" if suggestion else f"its folder cannot be read: {problem}" if problem else ""
            missing.append(f"{name} ({hint})" if hint else name)
    return paths, missing
