"""The data files that a plugin declares: their contents are part of the fingerprint."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from relattr.errors import BadInput
from relattr.identity.code import find_file
from relattr.system.digests import digest_files


def declared_files(plugin: Any) -> dict[str, Path]:
    """Return the files in the attribute ``files`` of a method or dataset, by the path that it gives.

    Paths are relative to the module that assigns the attribute. Raises `BadInput` if one is not a file.
    """
    declared = plugin.files
    owner = next((cls for cls in type(plugin).__mro__ if "files" in vars(cls)), type(plugin))
    if isinstance(declared, str) or not all(isinstance(path, str) for path in declared):
        raise BadInput(f"{owner.__name__}.files should be a sequence of paths as text, got {declared!r}")
    paths: dict[str, Path] = {}
    for text in declared:
        path = Path(os.path.normpath(_folder_of(owner) / text))
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "does not exist"
            raise BadInput(
                f"{owner.__name__} declares the file {text!r}, but {path} {kind}; correct {owner.__name__}.files"
            )
        paths[text] = path
    return paths


def file_digests(plugin: Any) -> dict[str, str]:
    """Return the SHA-256 of each declared file, by the path that the plugin gives. Raises `BadInput`."""
    return {text: digest_files(path.parent, [path.name]) for text, path in declared_files(plugin).items()}


def _folder_of(cls: type) -> Path:
    path = find_file(cls.__module__)
    if path is None:
        module = sys.modules.get(cls.__module__)
        path = Path(str(getattr(module, "__file__", None) or Path.cwd() / "unknown"))
    return path.parent
