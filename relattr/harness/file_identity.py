"""What identifies the files that parameters of a method name (`Method.file_parameters`): their content.

Two spellings of a path are one file, a copy is the same file, and one path can hold different content at different
times. A digest of the content therefore takes the place of the path in the identity of a cell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relattr.errors import BadInput
from relattr.method import Method
from relattr.system.digests import digest_file_cached, digest_text
from relattr.system.paths import absolute_text


def with_absolute_paths(method: type[Method], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a method's parameters, with absolute paths of the files that exist."""
    return {k: absolute_paths(v) if k in method.file_parameters else v for k, v in values.items()}


def content_digests(method: type[Method], values: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of the content for each parameter that names files, and none for one that names no file.

    The path stands for a file that cannot be read.
    """
    named = {name: _paths(values[name]) for name in method.file_parameters if name in values}
    return {name: digest_text(*map(_digest, paths)) for name, paths in named.items() if paths}


def _paths(value: Any) -> list[str]:
    return ([value] if value else []) if isinstance(value, str) else [str(path) for path in value or ()]


def absolute_paths(value: Any) -> Any:
    """Return a path, or each path in a list, as an absolute one if it exists; other values as they are."""
    if isinstance(value, (list, tuple)):
        return [absolute_paths(item) for item in value]
    return absolute_text(value) if isinstance(value, str) and value else value


def _digest(path: str) -> str:
    try:
        return digest_file_cached(Path(path))
    except BadInput:
        return "unavailable " + os.path.abspath(path)
