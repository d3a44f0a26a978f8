"""The folders that relattr reads and writes, and other settings, each an environment variable.

==================  ================================================  ==========================
variable            contents                                          default
==================  ================================================  ==========================
RELATTR_DATA        datasets, one folder each                         <user cache>/relattr/data
RELATTR_WEIGHTS     backbone weights, ``<backbone>.safetensors``      <user cache>/relattr/weights
RELATTR_CACHE       decoded images and features; safe to delete       <user cache>/relattr/cache
RELATTR_OFFLINE     set to anything but 0: nothing is downloaded      unset
RELATTR_MAX_PIXELS  images with more pixels are refused               200,000,000
==================  ================================================  ==========================

Without a home directory, ``<user cache>/relattr`` is ``relattr-<user id>`` in the folder for temporary files.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from relattr.errors import BadInput
from relattr.system.text import is_utf8

DATA_PREFIX = "$RELATTR_DATA/"
"""Start of a path below the folder of datasets, wherever that is; see `expand_data`."""


def expand_home(path: str | Path) -> Path:
    """Replace a ``~`` or ``~user`` at the start of a path by the home directory, as a shell does.

    Where there is no such user or no home, the path stays as it is: it is a file whose name begins with ``~``.
    """
    return Path(os.path.expanduser(path))


def expand_data(path: str) -> str:
    """Replace ``$RELATTR_DATA`` at the start of a path by the folder of datasets, whether or not the variable is set.

    Other paths stay as they are.
    """
    return str(data_dir() / path[len(DATA_PREFIX) :]) if path.startswith(DATA_PREFIX) else path


def package_folder(package: str) -> Path:
    """Return the folder of a package of relattr that has data files. Raises `BadInput` if it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BadInput(f"the package {package} is missing; install relattr with 'pip install .' or 'pip install -e .'")
    return Path(next(iter(spec.submodule_search_locations)))


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    if value:
        folder = expand_home(value).absolute()
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{variable} is set to {folder}, which is not a folder")
        return folder
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("relattr"))
    return (folder if folder.is_absolute() else _folder_without_home()) / default


def _folder_without_home() -> Path:
    """A folder of this user below the folder for temporary files, for a user without a home directory."""
    import tempfile

    return Path(tempfile.gettempdir()) / f"relattr-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def data_dir() -> Path:
    """The folder of datasets; it may not exist yet."""
    return _folder("RELATTR_DATA", "data")


def weights_dir() -> Path:
    """The folder of backbone weights; it may not exist yet."""
    return _folder("RELATTR_WEIGHTS", "weights")


def cache_dir() -> Path:
    """The folder of cached results that can be computed again; it may not exist yet."""
    return _folder("RELATTR_CACHE", "cache")


def is_offline() -> bool:
    """Whether RELATTR_OFFLINE forbids downloads."""
    return os.environ.get("RELATTR_OFFLINE", "0") not in ("", "0")


def absolute_text(path: str) -> str:
    """Return the absolute path of an existing file or folder; ``path`` if it is not UTF-8 text, as results require."""
    absolute = os.path.abspath(path) if os.path.exists(path) else path
    return absolute if is_utf8(absolute) else path
