"""File formats of images that need a package beside Pillow."""

from __future__ import annotations

import importlib.metadata

HEIC_SUFFIXES = (".heic", ".heif")


def heic_version() -> str:
    """The version of pillow-heif, which reads HEIC; empty if it is not installed."""
    try:
        return importlib.metadata.version("pillow-heif")
    except importlib.metadata.PackageNotFoundError:
        return ""
